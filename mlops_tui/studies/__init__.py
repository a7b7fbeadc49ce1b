"""Searches for the best parameters: a study is a run, each of its trials a run below it."""
