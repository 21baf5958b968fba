"""Tables, figures and the report page: read the storage, compute a DataFrame, then draw it."""

from reports.comparison import write_comparison
from reports.export import write_figures
from reports.load import load_curves, load_trials
from reports.report import write_report

__all__ = ["load_curves", "load_trials", "write_comparison", "write_figures", "write_report"]
