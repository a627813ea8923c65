"""The version, on its own so that every module may read it without importing the public surface."""

__all__ = ["__version__"]

__version__ = "0.1.0"
