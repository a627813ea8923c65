"""Scores of facial expressions: predictions, metrics, reports."""
