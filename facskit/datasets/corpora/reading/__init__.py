"""Reading of raw corpus files: labels, landmarks, media, numbers in names."""
