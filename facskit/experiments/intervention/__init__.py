"""Stages of causal intervention: teachers first, then the unbiased network."""
