"""Examination of what a person has: manifests, raw folders, corpora, runs; findings in sentences."""
