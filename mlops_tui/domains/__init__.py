"""Rooms: one package per subject, all of the same shape (records, store, service)."""
