"""Machine unlearning: data, models, scenarios, methods and metrics, and the run that joins them."""
