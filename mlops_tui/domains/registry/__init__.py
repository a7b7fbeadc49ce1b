"""Immutable model versions, the names that move over them, and where each one came from."""
