"""The search: many Optuna studies under one Ray Tune experiment."""
