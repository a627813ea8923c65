"""Faces without labels for pre-training: their sources, cache of crops, loader."""
