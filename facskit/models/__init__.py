"""Networks and their weight files: from tensor to tensor; no loss, no data, no recipe."""
