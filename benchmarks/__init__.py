"""Measurements of the performance budgets: `python -m benchmarks`."""
