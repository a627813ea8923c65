"""What a run remembers of its data, and how a difference is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.columns import EXPRESSION, LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.data_record import DataRecord, manifest_digests
from facskit.datasets.manifest import Manifest
from facskit.datasets.origin import DataOrigin
from facskit.errors import DatasetError
from facskit.faces.alignment import EyeSimilarityCrop

PEOPLE = {"training": ("F001", "F002"), "validation": (), "test": ("F003",)}
THEN = DataRecord(images=3, digests={"image": "a", "AU12": "b"}, people=PEOPLE)


def _manifest(**columns: object) -> Manifest:
    points = {name: pl.Series([1.0, None], dtype=pl.Float32) for name in (*LANDMARKS_X, *LANDMARKS_Y)}
    table = pl.DataFrame({"image": ["a.jpg", "b.jpg"], "subject": ["F1", "F2"], "AU12": [1, None], **points})
    table = table.with_columns(expression=pl.Series(["anger", None])).with_columns(**columns)  # type: ignore[arg-type]
    return Manifest(table=table, root=Path(), action_units=ActionUnitSet.parse("AU12"))


def _digests(manifest: Manifest) -> dict[str, str]:
    return manifest_digests(manifest, expressions=True)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"image": pl.Series(["a.jpg", "c.jpg"])}, "image"),
        ({"subject": pl.Series(["F1", "F1"])}, "subject"),
        ({"AU12": pl.Series([1, 0])}, "AU12"),
        ({"expression": pl.Series(["anger", "fear"])}, "expression"),
        ({"y_67": pl.Series([1.5, None], dtype=pl.Float32)}, "landmarks"),
    ],
)
def test_every_column_that_training_reads_has_a_digest(columns: dict[str, pl.Series], told: str) -> None:
    before, after = _digests(_manifest()), _digests(_manifest(**columns))
    assert {name for name in before if before[name] != after[name]} == {told}


def test_a_crop_and_an_order_of_rows_are_data_but_a_column_of_the_users_is_not() -> None:
    plain = _manifest()
    cropped = replace(plain, origin=DataOrigin(corpus="bp4d", crop=EyeSimilarityCrop(size=64)))
    assert _digests(cropped)["crop"] != _digests(plain)["crop"]
    assert _digests(plain.select(np.array([1, 0])))["image"] != _digests(plain)["image"]
    assert _digests(_manifest(remark=pl.Series(["x", "y"]))) == _digests(plain)
    assert _digests(replace(plain, root=Path("elsewhere"))) == _digests(plain)
    assert EXPRESSION not in manifest_digests(plain, expressions=False)


def test_differences_are_told_with_the_worst_first() -> None:
    assert THEN.differences(THEN) == []
    moved = replace(THEN, people={"training": ("F003",), "validation": ("F002",), "test": ("F001",)})
    assert moved.differences(THEN) == ["F001 was trained on and would now be tested on (and 2 more changed places)"]
    fewer = DataRecord(images=2, digests={"image": "z"}, people={**PEOPLE, "test": ("F009",)})
    assert fewer.differences(THEN) == ["the manifest has 1 row less", "F003 is gone", "F009 is new"]
    relabelled = replace(THEN, digests={"image": "a", "AU12": "c"})
    assert relabelled.differences(THEN) == ["the manifest has other values, or another order of rows, in AU12"]


def test_a_record_is_read_back_or_refused() -> None:
    assert DataRecord.from_json(THEN.to_json(), "data.json") == THEN
    with pytest.raises(DatasetError, match=r"data\.json: .*people"):
        DataRecord.from_json("{}", "data.json")
