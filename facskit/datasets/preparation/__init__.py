"""Preparation of a corpus: frames found, faces cropped, one manifest and a report."""
