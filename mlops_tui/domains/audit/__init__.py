"""Audit: who did what, when and why, in a chain that shows every later edit."""
