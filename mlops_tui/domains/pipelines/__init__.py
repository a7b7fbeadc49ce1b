"""Training pipelines: a definition in git, run as steps in processes of their own, with a gate before anything serves."""
