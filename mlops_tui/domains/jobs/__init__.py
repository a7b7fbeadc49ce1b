"""The queue of work: each job is done by a child process that outlives the daemon, and is recorded exactly once."""
