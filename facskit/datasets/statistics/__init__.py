"""Statistics of a manifest: occurrence, co-occurrence, durations; report and figures."""
