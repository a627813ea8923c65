"""Bias between frequent and rare action units: numbers, tables, figures, report."""
