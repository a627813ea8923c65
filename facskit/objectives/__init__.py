"""From a model and a batch to a loss: the only place where the papers differ."""
