"""The parts of a run's HTML report: reading the run folder, drawing charts, packing rows, writing the page."""
