"""Tables, figures and the report page: read the storage, compute a DataFrame, then draw it."""

from reports.export import write_figures
from reports.report import write_report

__all__ = ["write_figures", "write_report"]
