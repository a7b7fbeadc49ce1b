"""Training code that logs itself: fits of scikit-learn and boosters, and loops that report epoch by epoch."""
