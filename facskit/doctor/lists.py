"""Label lists of papers and result tables of other tools: which they are, and what keeps them from being read."""

from pathlib import Path

from facskit.datasets.corpora.lists.fmae import is_fmae_list, read_fmae_list
from facskit.datasets.corpora.lists.foreign_tables import guess_table, tables_in
from facskit.datasets.corpora.lists.jaa import is_jaa_list, read_jaa_list
from facskit.datasets.corpora.lists.me_graphau import is_me_graphau, read_me_graphau
from facskit.datasets.corpora.lists.table_cells import ENDINGS
from facskit.datasets.findings import counted
from facskit.doctor.checkup import Checkup, finding_of, quoted
from facskit.errors import DatasetError

__all__ = ["check_list", "check_lists_in", "check_table"]

_LISTS = (
    ("label lists of ME-GraphAU", is_me_graphau, read_me_graphau),
    ("a label list of JAA-Net", is_jaa_list, read_jaa_list),
    ("a label list of FMAE-IAT", is_fmae_list, read_fmae_list),
)
"""What each kind is called, what tells it, and what reads it."""


def check_list(path: Path) -> Checkup | None:
    """Look a label list over; None if it is none.

    Args:
        path: A file; for ME-GraphAU's lists also their folder, or the folder above it.
    """
    for what, tells, read in _LISTS:
        if not tells(path):
            continue
        checkup = Checkup(kind="lists", what=what, place=path)
        try:
            found = read(path)
        except DatasetError as error:
            return checkup.adding(findings=[finding_of(error, path)])
        people, units = found.table["subject"].n_unique(), found.action_units
        return checkup.adding(
            facts=[f"{found.table.height:,} images of {people:,} subjects", f"{len(units)} AUs: {units}"],
            findings=found.findings,
            steps=[f"facskit convert {quoted(path)} -o manifest.parquet --images FOLDER"],
        )
    return None


def check_lists_in(folder: Path) -> list[Checkup]:
    """Look over the label lists or result tables that lie in a folder; none if there are none."""
    files = [folder] if is_me_graphau(folder) else sorted(folder.glob("*_path.txt"))
    lists = [checkup for file in files if (checkup := check_list(file)) is not None]
    if lists:
        return lists
    step = f"facskit convert {quoted(folder)} -o labels.parquet"
    return [
        Checkup(
            kind="table",
            what=f"a folder of {counted(len(files), 'result table')} of {kind}",
            place=folder,
            steps=(step,),
        )
        for kind, files in tables_in(folder).items()
    ]


def check_table(path: Path) -> Checkup | None:
    """Say whose result table a file is; None if it is none."""
    kind = guess_table(path) if path.suffix.lower() in ENDINGS else None
    if kind is None:
        return None
    steps = [f"facskit convert {quoted(path)} -o labels.parquet"]
    if kind == "facskit":
        steps.insert(0, f"facskit describe {quoted(path)} -o described")
    return Checkup(kind="table", what=f"a result table of {kind}, not a manifest", place=path, steps=tuple(steps))
