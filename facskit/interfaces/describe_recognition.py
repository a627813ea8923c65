"""`facskit describe result.csv`: what each person of a recognition table does, as tables and timelines."""

from collections import Counter
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape

from facskit.errors import RecipeError
from facskit.inference.finished_table import read_recognition_table, write_summaries
from facskit.inference.people import summarise_people
from facskit.tables import MISSING, TextTable, percent_cell

__all__ = ["describe_recognition"]

_MOST_PEOPLE = 30
_MOST_UNITS = 5


def describe_recognition(path: Path, out: Path | None, seconds: float | None) -> None:
    """Print who is seen, how reliably, and what they show most; write all of it, and timelines of videos.

    Args:
        path: A table of `facskit recognize`.
        out: Folder for people.csv, people_episodes.csv, people_bins.csv and timelines; None to write nothing.
        seconds: Length of the bins; None for none.

    Raises:
        DatasetError: The table can't be read.
    """
    if seconds is not None and out is None:
        raise RecipeError("--bin is written into the folder of -o: give -o DIR too")
    table, units = read_recognition_table(path)
    people = summarise_people(table, units).people
    console = Console(highlight=False, soft_wrap=True)
    console.print(_people_table(path, people).to_terminal())
    if out is None:
        console.print("[dim]-o DIR writes every action unit's numbers, its episodes and timelines of videos.[/]")
        return
    files = write_summaries(table, units, out / "people.csv", seconds)
    if table["timestamp"].max():
        # Matplotlib takes a while to import.
        from facskit.inference.timeline import write_timelines

        files += write_timelines(table, units, out)
    console.print(f"Results: {escape(', '.join(map(str, files)))}")


def _people_table(path: Path, people: pl.DataFrame) -> TextTable:
    """Return a row per person: how long they are seen, how reliably, and what they show most."""
    times = Counter(Path(str(source)).name for source in people["input"].unique())
    rows = []
    for (source, face), units in people.group_by(["input", "face_id"], maintain_order=True):
        first = units.row(0, named=True)
        shown = units.filter(pl.col("present_share") > 0).sort("present_share", descending=True).head(_MOST_UNITS)
        most = ", ".join(f"{code} {share:.0%}" for code, share in shown.select("action_unit", "present_share").rows())
        nothing = "none" if first["reliable_share"] else "not said"
        seconds = f"{first['seconds']:.1f}" if first["seconds"] else MISSING
        reliable = percent_cell(first["reliable_share"], 0)
        name = Path(str(source)).name
        rows.append(
            (
                name if times[name] == 1 else str(source),
                str(face),
                str(first["frames"]),
                seconds,
                reliable,
                most or nothing,
            )
        )
    more = f" The first {_MOST_PEOPLE} of {len(rows):,} people." if len(rows) > _MOST_PEOPLE else ""
    return TextTable(
        title=f"{path.name}: who is seen, and what they show most",
        header=("input", "face", "frames", "seconds", "reliable %", "present, in percent of the reliable frames"),
        rows=tuple(rows[:_MOST_PEOPLE]),
        num_text=2,
        more_text=(5,),
        notes=(f"Frames in which something makes a face unreliable count as seen, and nowhere else.{more}",),
    )
