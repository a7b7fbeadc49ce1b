"""Ways to ask a fitted estimator: the fastest that gives the answers scikit-learn gives is chosen for each version."""
