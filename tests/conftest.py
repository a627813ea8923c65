"""Shared set-up: tensor shapes in annotations are checked while the tests run."""

from jaxtyping import install_import_hook

install_import_hook("facskit", "beartype.beartype")
