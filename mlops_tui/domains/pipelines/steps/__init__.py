"""The steps of a pipeline: one module each, with `run(work)` that returns what it found out as JSON values."""
