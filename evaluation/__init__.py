"""Step 7: benchmarks, and the report of a run."""
