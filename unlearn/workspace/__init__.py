"""What the trials on one worker share, and the tasks that they are about."""

from unlearn.workspace.references import Reference
from unlearn.workspace.samples import TaskData
from unlearn.workspace.tasks import Setting, Task
from unlearn.workspace.workspace import Workspace

__all__ = ["Reference", "Setting", "Task", "TaskData", "Workspace"]
