"""Faces from a file's pixels to aligned crops: decoding, video, detection, tracking, alignment, normalisation."""
