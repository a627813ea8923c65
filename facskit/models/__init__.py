"""From tensor to tensor: networks and their weight files; no loss, no data, no recipe."""
