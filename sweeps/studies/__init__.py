"""Optuna's side: which trial is next, and what becomes of it. Knows nothing of Ray."""
