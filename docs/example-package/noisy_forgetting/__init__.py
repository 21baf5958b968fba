"""An own method, metric and data set for unlearn-sweeps."""
