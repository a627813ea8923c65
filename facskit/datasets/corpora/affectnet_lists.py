"""AffectNet's full release: two tables of a million-picture corpus, of which the annotated part is read.

```text
Manually_Annotated_file_lists/training.csv, validation.csv
Manually_Annotated_Images/1/0a1b....jpg
```

The columns are subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks, expression, valence
and arousal; some copies of validation.csv lack the line that says so.
"""

from pathlib import Path

import polars as pl

from facskit.columns import EXPRESSION, FRAME, LANDMARKS_X, LANDMARKS_Y, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.expression_folders import DAMAGED, NO_PICTURE
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.manifest_checks import missing_images
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8

__all__ = ["COLUMNS", "IMAGE_FOLDERS", "is_list", "read_list"]

_BOX = {"face_x": "FaceRectX", "face_y": "FaceRectY", "face_width": "FaceRectWidth", "face_height": "FaceRectHeight"}
_AFFECT = ("valence", "arousal")
COLUMNS = ("subDirectory_filePath", *_BOX, "facial_landmarks", "expression", *_AFFECT)
"""The columns of both tables, in order."""
IMAGE_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated_compressed/Manually_Annotated_Images", "images")
"""Where the pictures may be, from the corpus's folder."""
_NO_CLASS = {"8": "no expression (code 8)", "9": "uncertain expression (code 9)", "10": "no face (code 10)"}
_CLASSES = {str(number): name for number, name in enumerate(AFFECTNET_8)}
_LINE, _REASON, _WRONG = "line", "reason", "wrong"


def is_list(path: Path) -> bool:
    """Tell by its first line whether a file is one of the tables, with or without the names of its columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        cells = file.readline().strip().split(",")
    return len(cells) == len(COLUMNS) and (cells[0].strip('" ') == COLUMNS[0] or cells[5].count(";") > 1)


def read_list(path: Path, root: Path, images: Path, split: str, notes: ImportLog) -> pl.DataFrame:
    """Return the usable pictures of one of the tables; wrong lines and pictures without a class are dropped.

    Raises:
        DatasetError: The file isn't such a table.
    """
    table = _typed(_read_text(path, notes), images)
    for line, sentence, reason in table.filter(pl.col(_WRONG).is_not_null()).select(_LINE, _WRONG, _REASON).iter_rows():
        notes.error(f"{path}: line {line}", sentence, reason)
    name = pl.col("file").str.replace(r"\.[^./]*$", "").str.replace_all("/", "_", literal=True)
    table = table.with_columns(
        (images.relative_to(root).as_posix() + "/" + pl.col("file")).alias(MEDIA),
        pl.lit(None, pl.Int64).alias(MEDIA_FRAME),
        name.alias(SUBJECT),
        pl.lit(path.stem).alias(RECORDING),
        pl.col(_LINE).alias(FRAME),
        pl.lit(split).alias(SPLIT),
    )
    usable = pl.col(_REASON).is_null()
    notes.drop(table.filter(~usable).drop("file"), file=str(path))
    return table.filter(usable).drop(_LINE, _REASON, _WRONG, "file")


def _read_text(path: Path, notes: ImportLog) -> pl.DataFrame:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline().strip()
    headed = first.split(",")[0].strip().strip('"') == COLUMNS[0]
    if not headed:
        if first.count(",") != len(COLUMNS) - 1:
            raise DatasetError(f"{path}: line 1: found {first[:60]!r}, expected the columns {', '.join(COLUMNS)}")
        sentence = "line 1 is a picture, not the names of the columns; they are taken to be in the release's order"
        notes.note(path, sentence)
    try:
        table = pl.read_csv(path, has_header=headed, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise DatasetError(f"{path}: can't be read as a table of {len(COLUMNS)} columns ({reason})") from error
    if not headed:
        table.columns = list(COLUMNS)
    table = table.rename({name: name.strip() for name in table.columns})
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DatasetError(f"{path}: the column {missing[0]} is missing; found {', '.join(table.columns)}")
    first_line = 2 if headed else 1
    return table.select(COLUMNS).with_row_index(_LINE, first_line).with_columns(pl.col(_LINE).cast(pl.Int64))


def _typed(raw: pl.DataFrame, images: Path) -> pl.DataFrame:
    """Turn text into numbers; `reason` says why a picture isn't usable, `wrong` what is wrong with its line."""
    code = pl.col("expression").str.strip_chars().str.replace(r"\.0+$", "")
    table = raw.with_columns(
        pl.col(COLUMNS[0]).str.strip_chars().str.replace_all("\\", "/", literal=True).alias("file"),
        code.replace_strict(_CLASSES, default=None).alias(EXPRESSION),
        code.replace_strict(_NO_CLASS, default=None).alias(_REASON),
        pl.col("facial_landmarks").str.strip_chars(" ;").str.split(";").alias("points"),
        *(pl.col(name).str.strip_chars().cast(pl.Float64, strict=False) for name in (*_BOX, *_AFFECT)),
    )
    points = pl.col("points")
    places = {name: points.list.get(2 * point, null_on_oob=True) for point, name in enumerate(LANDMARKS_X)}
    places |= {name: points.list.get(2 * point + 1, null_on_oob=True) for point, name in enumerate(LANDMARKS_Y)}
    table = table.with_columns(
        **{name: cell.str.strip_chars().cast(pl.Float32, strict=False) for name, cell in places.items()}
    )
    table = table.with_columns(_what_is_wrong(table, raw).alias(_WRONG))
    lacks = pl.col(_REASON).is_null() & pl.col(_WRONG).is_null() & missing_images(images, table["file"])
    table = table.with_columns(
        pl.when(lacks).then(pl.format(f"there is no picture {images}/{{}}", "file")).otherwise(_WRONG).alias(_WRONG),
        pl.when(lacks)
        .then(pl.lit(NO_PICTURE))
        .when(pl.col(_WRONG).is_not_null())
        .then(pl.lit(DAMAGED))
        .otherwise(_REASON)
        .alias(_REASON),
    )
    affect = [pl.when(pl.col(name) == -2).then(None).otherwise(pl.col(name)).alias(name) for name in _AFFECT]
    boxes = [pl.col(name).alias(ours) for name, ours in _BOX.items()]
    order = [_LINE, _REASON, _WRONG, "file", EXPRESSION, *LANDMARKS_X, *LANDMARKS_Y]
    return table.select(*order, *boxes, *affect)


def _what_is_wrong(table: pl.DataFrame, raw: pl.DataFrame) -> pl.Series:
    """Return one sentence per row, null for rows that are right or have no class anyway."""
    landmarks = (*LANDMARKS_X, *LANDMARKS_Y)
    has_points = pl.col("points").list.len() > 1
    count = pl.col("points").list.len()
    bad_points = has_points & (
        (count != len(landmarks)) | pl.any_horizontal(pl.col(name).is_null() for name in landmarks)
    )
    has_class = pl.col(EXPRESSION).is_not_null()
    checks = [
        pl.when(~has_class).then(
            pl.format("found the expression '{}', expected 0 to 10", pl.col("shown").fill_null("an empty cell"))
        ),
        *(
            pl.when(pl.col(name).is_null()).then(
                pl.format(f"found {name} '{{}}', expected a number", pl.col(f"raw_{name}").fill_null(""))
            )
            for name in (*_BOX, *_AFFECT)
        ),
        *(
            pl.when((pl.col(name) != -2) & ~pl.col(name).is_between(-1, 1)).then(
                pl.format(f"found {name} {{}}, expected -1 to 1, or -2 for none", pl.col(name))
            )
            for name in _AFFECT
        ),
        pl.when(bad_points).then(
            pl.format("found {} landmark positions that aren't all numbers, expected 136 separated by ;", count)
        ),
    ]
    shown = raw.select(
        pl.col("expression").alias("shown"), *(pl.col(name).alias(f"raw_{name}") for name in (*_BOX, *_AFFECT))
    )
    sentences = table.hstack(shown).select(
        pl.when(pl.col(_REASON).is_null()).then(pl.coalesce(check.otherwise(None) for check in checks)).alias(_WRONG)
    )
    return sentences[_WRONG]
