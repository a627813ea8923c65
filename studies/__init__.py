"""Studies: questions about the methods, each answered by one command that trains, measures and draws.

They are written up in `docs/studies/`, with the figures that the commands here make.
"""
