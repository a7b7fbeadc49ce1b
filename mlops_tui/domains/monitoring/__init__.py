"""Is a deployed model still seeing what it was trained on, and is it still right? Windows, verdicts, alerts."""
