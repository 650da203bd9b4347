"""Measurements against the peers. `uv run benchmarks/run.py` makes the data, runs all rows, prints the table."""
