"""Sweep over values of a recipe: grid, parallel runs, results, report."""
