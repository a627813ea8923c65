"""From a file's pixels to aligned face crops: decoding, video, detection, tracking, alignment, normalisation."""
