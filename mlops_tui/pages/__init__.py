"""Pages about a deployment and an incident, as values: shown by screens, printed by commands, written as Markdown or HTML."""
