"""Scores of facial expressions: predictions, metrics, published rows, reports."""
