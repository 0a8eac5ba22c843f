"""LiveBench's scorers, release 2024-08-31, one module for each category."""
