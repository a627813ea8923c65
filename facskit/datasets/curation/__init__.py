"""Curation of raw image collections: decode, filter, crop, deduplicate, pack."""
