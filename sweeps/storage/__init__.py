"""The Optuna storage, and the lease by which one driver at a time runs a sweep."""

from sweeps.storage.open import open_storage, storage_errors

__all__ = ["open_storage", "storage_errors"]
