"""From predictions to numbers: metrics, protocols, baselines, cross-validation, reports."""
