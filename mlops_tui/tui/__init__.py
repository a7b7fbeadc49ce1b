"""The terminal application: eight desks over one workspace. Nothing here decides; services do."""
