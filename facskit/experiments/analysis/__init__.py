"""Analysis of trained networks: scores, comparison, attention."""
