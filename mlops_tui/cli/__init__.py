"""The `mlops` command: turns words into calls on the rooms, and results into lines or JSON."""
