"""What the trials on one worker share, and the tasks that they are about."""

from unlearn.workspace.references import Reference
from unlearn.workspace.samples import TaskData
from unlearn.workspace.tasks import Given, Setting, Task
from unlearn.workspace.workspace import Workspace

__all__ = ["Given", "Reference", "Setting", "Task", "TaskData", "Workspace"]
