"""Identity left in features: the probe, its scores and splits, embeddings and their pictures."""
