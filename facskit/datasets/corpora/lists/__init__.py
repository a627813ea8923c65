"""Label lists of published codebases and tables of other tools, read and written."""
