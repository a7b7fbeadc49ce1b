"""What runs on this machine for this workspace: whose a process is, what each takes over time, and all of it for Prometheus."""
