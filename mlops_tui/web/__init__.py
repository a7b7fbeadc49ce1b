"""HTTP doors: they turn requests into calls on the rooms and results into responses."""
