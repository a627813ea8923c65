"""Files of FACS codes: tables with one column per AU, and lists with one code per line.

Columns are found by their header, never by position, and every cell is checked: a code that isn't a number, or that
the corpus doesn't have, is named with its file and line. Thousands of files are parsed as one table.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnit, ActionUnitSet, parse_action_unit
from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of

__all__ = ["MISSING_CODE", "LabelFile", "read_code_lists", "read_code_tables"]

MISSING_CODE = 9
"""The code of BP4D and BP4D+, and of the lists made from corpora, for "can't be coded"."""

_LAST_FRAME = 2**31
_LINE = "line"
_FILE = "file"
_OWN = (SUBJECT, RECORDING, FRAME)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFile:
    """A file of codes and what its name says."""

    path: Path
    """The file."""
    subject: str
    """Who was coded."""
    recording: str
    """The task or trial."""
    unit: ActionUnit | None = None
    """The AU it codes; None for a table of many."""


def read_code_tables(files: Sequence[LabelFile], units: ActionUnitSet, notes: ImportLog) -> pl.DataFrame:
    """Read occurrence tables: the first column is the frame, the others are named after AUs.

    Both published kinds of header are understood: 0 to 99, where the first column happens to be called 0, and a list
    of AUs, where it happens to be called 1 like the column of AU 1.

    Returns:
        Columns `subject`, `recording`, `frame`, `file` and one Int8 column per AU: 0, 1, 9, or null where the file
        has no such column.
    """
    raw = [table for file in files if (table := _raw_table(file, units, notes)) is not None]
    empty = pl.DataFrame(schema=dict.fromkeys([SUBJECT, RECORDING, FRAME, *units.codes, _FILE], pl.String))
    table = pl.concat([empty.with_columns(pl.lit(0, pl.UInt32).alias(_LINE)), *raw], how="diagonal")
    return _checked(table, units.codes, (0, 1, MISSING_CODE), notes).drop(_LINE)


def read_code_lists(files: Sequence[LabelFile], codes: Sequence[int], notes: ImportLog) -> pl.DataFrame:
    """Read lists with one frame and one code per line, separated by a comma or blanks; `#` starts a comment.

    A frame may be a number or the name of an image, whose last digits are its number.

    Args:
        codes: The codes the corpus has; an empty cell becomes null.

    Returns:
        Columns `subject`, `recording`, `frame` and one Int8 column per AU; null where no list has the frame. `file` is
        the first of the files that have it.
    """
    texts = [(position, text) for position, file in enumerate(files) if (text := _text(file.path, notes)) is not None]
    lines = pl.DataFrame(texts, schema={"position": pl.Int64, "text": pl.String}, orient="row")
    lines = lines.with_columns(pl.col("text").str.split("\n")).with_columns(
        pl.int_ranges(1, pl.col("text").list.len() + 1, dtype=pl.UInt32).alias(_LINE)
    )
    lines = lines.explode("text", _LINE).with_columns(pl.col("text").str.strip_chars())
    lines = lines.filter((pl.col("text") != "") & ~pl.col("text").str.starts_with("#"))
    cells = pl.col("text").str.extract_groups(r"^([^\s,;]+)[\s,;]+(\S+?)[\s,;]*$")
    lines = lines.with_columns(cells.struct.field("1").alias(FRAME), cells.struct.field("2").alias("code"))
    named = pl.col(FRAME).str.replace(r"\.[A-Za-z]+$", "").str.extract(r"(\d+)$")
    # a line that isn't two cells keeps its text as the code, so that the message shows it
    lines = lines.with_columns(
        pl.when(pl.col("code").is_null()).then("text").otherwise("code").alias("code"),
        pl.when(pl.col("code").is_not_null()).then(named.fill_null(pl.col(FRAME))).alias(FRAME),
    )
    names = pl.DataFrame(
        {
            "position": range(len(files)),
            SUBJECT: [file.subject for file in files],
            RECORDING: [file.recording for file in files],
            "unit": ["" if file.unit is None else file.unit.code for file in files],
            _FILE: [notes.relative(file.path) for file in files],
        },
        schema_overrides={"position": pl.Int64},
    )
    table = lines.drop("text").join(names, on="position", how="left", maintain_order="left")
    table = _checked(table, ("code",), codes, notes, by="unit")
    wide = table.pivot("unit", index=list(_OWN), values="code", aggregate_function="first")
    first = table.group_by(_OWN, maintain_order=True).agg(pl.col(_FILE).first())
    return wide.join(first, on=_OWN, how="left", maintain_order="left")


def _text(path: Path, notes: ImportLog) -> str | None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        sentence = f"can't be read as text ({error}); copy it again from the release"
        notes.error(notes.relative(path), sentence, "unreadable labels")
        return None
    if not text.strip():
        sentence = "found an empty file, expected one frame and its code per line"
        notes.error(notes.relative(path), sentence, "unreadable labels")
        return None
    return text


def _raw_table(file: LabelFile, units: ActionUnitSet, notes: ImportLog) -> pl.DataFrame | None:
    """Read the wanted columns of one table as text."""
    text = _text(file.path, notes)
    if text is None:
        return None
    place = notes.relative(file.path)
    header, _, body = text.partition("\n")
    names = [name.strip().strip('"') for name in header.split(",")]
    if len(names) < 2 or _looks_like_codes(names):
        sentence = f"line 1: found no header with a name per column ({header.strip()[:60]!r}); expected AU numbers"
        notes.error(place, sentence, "unreadable labels")
        return None
    # The first column is the frame whatever it is called; columns of other movements and of occlusion have no AU.
    places = {
        unit: position for position, name in enumerate(names) if position and (unit := _unit_of(name)) is not None
    }
    named = Counter(map(_unit_of, names[1:]))
    twice = [unit.code for unit in units if named[unit] > 1]
    if twice:
        sentence = f"line 1: {', '.join(twice)} has two columns, so its codes can't be told; delete one of them"
        notes.error(place, sentence, "doubled column")
        places = {unit: position for unit, position in places.items() if unit.code not in twice}
    missing = [unit.code for unit in units if unit not in places and unit.code not in twice]
    if missing:
        sentence = f"the column of {', '.join(missing)} is missing, so these AUs are unknown there"
        notes.error(place, sentence, "missing column")
    lines = _whole_lines(body, len(names), file, notes)
    if not lines:
        notes.error(place, "found a header and no frames", "unreadable labels")
        return None
    wanted = {0: FRAME, **{places[unit]: unit.code for unit in units if unit in places}}
    order = sorted(wanted)
    table = pl.read_csv(
        "\n".join(lines.values()).encode(),
        has_header=False,
        infer_schema=False,
        columns=order,
        truncate_ragged_lines=True,
        quote_char=None,
    )
    table.columns = [wanted[position] for position in order]
    own = [pl.lit(file.subject).alias(SUBJECT), pl.lit(file.recording).alias(RECORDING), pl.lit(place).alias(_FILE)]
    return table.with_columns(pl.Series(_LINE, list(lines), dtype=pl.UInt32), *own)


def _whole_lines(body: str, cells: int, file: LabelFile, notes: ImportLog) -> dict[int, str]:
    """Return the lines with as many cells as the header by their number; others would put codes into wrong columns."""
    lines = {number: line.rstrip("\r") for number, line in enumerate(body.split("\n"), start=2) if line.strip(" ,\r")}
    broken = {
        number: line
        for number, line in lines.items()
        if not line.rstrip(", ").count(",") < cells <= line.count(",") + 1
    }
    if broken:
        number, line = next(iter(broken.items()))
        more = f"; so have {len(broken) - 1} more lines" if len(broken) > 1 else ""
        frames = [int(first) for line in broken.values() if (first := line.partition(",")[0].strip()).isdigit()]
        row = {SUBJECT: file.subject, RECORDING: file.recording, _FILE: notes.relative(file.path)}
        notes.drop(pl.DataFrame([{**row, FRAME: frame} for frame in frames]), "damaged label")
        found = line.count(",") + 1
        notes.error(row[_FILE], f"line {number}: found {found} cells, the header has {cells}{more}", "damaged label")
    return {number: line for number, line in lines.items() if number not in broken}


def _looks_like_codes(names: Sequence[str]) -> bool:
    """Tell a row of codes from a header: a header names each column once, beside the first."""
    return names[0].isdigit() and len(names) > 3 and len(set(names[1:])) <= min(3, len(names) - 2)


def _unit_of(name: str) -> ActionUnit | None:
    try:
        return parse_action_unit(name)
    except ValueError:
        return None


def _checked(
    table: pl.DataFrame, columns: Sequence[str], codes: Sequence[int], notes: ImportLog, by: str | None = None
) -> pl.DataFrame:
    """Turn text into codes; rows with anything else are reported and dropped, and so are repeated frames."""
    numbers = {name: pl.col(name).str.strip_chars().cast(pl.Float64, strict=False) for name in (FRAME, *columns)}
    countable = numbers[FRAME].is_between(0, _LAST_FRAME)
    whole = numbers[FRAME].is_not_null() & countable & (numbers[FRAME] == numbers[FRAME].floor())
    faults = {}
    for name in columns:
        filled = pl.col(name).is_not_null() & (pl.col(name).str.strip_chars() != "")
        faults[name] = filled & ~numbers[name].is_in([float(code) for code in codes]).fill_null(value=False)
    faults[FRAME] = ~whole.fill_null(value=False)
    flags = table.select(**faults)
    bad = flags.select(pl.any_horizontal(pl.all())).to_series()
    if bad.any():
        _report(table.filter(bad), flags.filter(bad), codes, notes)
        table = table.filter(~bad)
    typed = {name: numbers[name].cast(pl.Int64 if name == FRAME else pl.Int8) for name in numbers}
    return _without_repeats(table.with_columns(**typed), columns, notes, by)


def _report(rows: pl.DataFrame, flags: pl.DataFrame, codes: Sequence[int], notes: ImportLog) -> None:
    """Name the first damaged line of each file, and drop all of them."""
    expected = f"{', '.join(str(code) for code in codes[:-1])} or {codes[-1]}"
    numbers = pl.col(FRAME).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    notes.drop(rows.with_columns(numbers.alias(FRAME)).filter(pl.col(FRAME).is_not_null()), "damaged label")
    for (file,), group in rows.with_columns(flags.rename(lambda name: f"bad {name}")).group_by(
        _FILE, maintain_order=True
    ):
        row = group.row(0, named=True)
        column = next(name for name in flags.columns if row[f"bad {name}"])
        what = "a frame number" if column == FRAME else expected
        label = row.get("unit", column) if column != FRAME else "frame"
        more = f"; {group.height - 1} more lines are damaged" if group.height > 1 else ""
        sentence = f"line {row[_LINE]}, {label}: found {row[column]!r}, expected {what}{more}"
        notes.error(str(file), sentence, "damaged label")


def _without_repeats(table: pl.DataFrame, columns: Sequence[str], notes: ImportLog, by: str | None) -> pl.DataFrame:
    """Leave one of equal rows of a frame, and none of rows that contradict each other."""
    keys = [*_OWN, *([by] if by else [])]
    table = table.with_columns(
        pl.struct(keys).is_duplicated().alias("repeated"),
        (pl.struct(columns).n_unique().over(keys) > 1).alias("contradictory"),
    )
    for (file, contradictory), group in table.filter("repeated").group_by(_FILE, "contradictory", maintain_order=True):
        frames = some_of(group[FRAME].unique(maintain_order=True).cast(pl.String))
        if contradictory:
            sentence = f"lists frame {frames} more than once, with different codes; these can't be used"
            notes.error(str(file), sentence, "listed twice")
        else:
            sentence = f"lists frame {frames} more than once, with the same codes; used once"
            notes.warning(str(file), sentence, "listed twice")
    notes.drop(table.filter("contradictory"), "listed twice with different codes")
    return (
        table.filter(~pl.col("contradictory"))
        .unique(keys, keep="first", maintain_order=True)
        .drop("repeated", "contradictory")
    )
