"""How packaged files and the site of the docs are made, each by one command."""
