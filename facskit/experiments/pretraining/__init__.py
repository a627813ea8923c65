"""Pre-training run: its parts, its loss figure."""
