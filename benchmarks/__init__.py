"""Speed claims as commands that print a ratio."""
