"""Deployments: which model versions answer which name, and what they answered."""
