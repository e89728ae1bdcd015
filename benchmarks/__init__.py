"""What memery's budgets name, measured: `python -m benchmarks`."""
