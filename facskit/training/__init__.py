"""From an objective and a loader to checkpoints: one loop, optimisation, run directories."""
