"""Experiment of the identity probe: whose features, which faces, the report."""
