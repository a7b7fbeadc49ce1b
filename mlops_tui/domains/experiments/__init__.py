"""What was tried: experiments, runs, their parameters, metrics and artifacts, logged from training scripts that may die at any moment."""
