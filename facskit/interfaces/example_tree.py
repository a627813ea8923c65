"""`facskit example-tree`: a tiny made-up corpus in the layout of a real one, to see what `facskit prepare` expects."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.corpora.decisions import CorpusName
from facskit.datasets.corpora.example_trees.au_trees import write_au_tree
from facskit.datasets.corpora.example_trees.expression_trees import write_expression_tree
from facskit.errors import DatasetError
from facskit.files import is_vacant

__all__ = ["main"]

_DESCRIPTION = """Write a few rendered faces in the folders, file names and label formats of a corpus.

Nothing in it is from the corpus. Use it to see what a folder must look like, and to try commands before your licence
arrives.

Examples:
  facskit example-tree bp4d example/BP4D
  facskit prepare bp4d example/BP4D -o example/prepared
"""
_SHOWN = 40


def main(arguments: Sequence[str]) -> int:
    """Parse the words after `facskit example-tree` and write the tree; return the exit code."""
    return tyro.cli(_run, prog="facskit example-tree", description=_DESCRIPTION, args=list(arguments))


def _run(
    corpus: Annotated[CorpusName, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")],
    *,
    quirks: bool = True,
) -> int:
    """Write the tree.

    Args:
        out: A new folder.
        quirks: With the oddities that releases have (digits that vary, codes 9, frames without landmarks).
    """
    if not is_vacant(out):
        raise DatasetError(f"{out} is not empty; expected a new folder")
    if corpus in ("raf-db", "affectnet"):
        write_expression_tree(corpus, out)
    else:
        write_au_tree(corpus, out, quirks=quirks)
    console = Console(highlight=False, soft_wrap=True)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    console.print(f"[bold]{escape(str(out))}[/]: {len(files)} files, for example")
    for name in _one_of_each_kind(files):
        console.print(f"  {escape(name)}")
    console.print(f"\nNext: facskit prepare {corpus} {escape(str(out))} -o {escape(str(out))}-prepared")
    return 0


def _one_of_each_kind(files: list[str]) -> list[str]:
    """Return the first of all files whose names differ in nothing but numbers and M for F."""
    first: dict[str, str] = {}
    for name in files:
        first.setdefault(re.sub(r"\d+", "#", re.sub(r"\b[FM](?=\d)", "F", name)), name)
    return list(first.values())[:_SHOWN]
