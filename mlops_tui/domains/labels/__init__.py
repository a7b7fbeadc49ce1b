"""Labelling: queues of rows for people to label, how far they agree, which labels are suspect, and labels as a feature table."""
