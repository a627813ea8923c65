"""Labels and places that a training part can't teach: refused, told with counts, and kept with the weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.train import train
from facskit.experiments.untaught import describe_untaught, refuse_unknown_places, untaught_labels
from facskit.faces.alignment import WholeImage
from facskit.interfaces.weights import main as show_weights
from facskit.models.attention_network import AttentionConfig
from facskit.models.checkpoints import read_weight_info
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.expression import ExpressionConfig
from facskit.objectives.occurrence import OccurrenceConfig
from tests.experiments.assembling import two_people
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.test_kept_weights import draw_recipe

TAUGHT = Recipe(
    name="taught",
    data=DataConfig(action_units="AU01,AU04,AU12", crop=WholeImage(size=32)),
    model=AttentionConfig(image_size=32, unit_width=1, branch_widths=(2, 2, 2, 2, 2)),
    objective=OccurrenceConfig(attention=AttentionRegressionConfig(weight=2.0)),
)


def _two_faces(recipe: Recipe, **columns: Sequence[float | str | None]) -> tuple[Manifest, Fold]:
    manifest, fold = two_people(recipe)
    return replace(manifest, table=manifest.table.with_columns(**{k: pl.Series(v) for k, v in columns.items()})), fold


def _without_landmarks(rows: Sequence[int], points: Sequence[int]) -> dict[str, list[float | None]]:
    names = [name for point in points for name in (LANDMARKS_X[point], LANDMARKS_Y[point])]
    return {name: [None if row in rows else 1.0 for row in range(2)] for name in names}


def test_labels_that_never_change_are_named() -> None:
    manifest, fold = _two_faces(TAUGHT, AU01=[-1, -1], AU04=[0, -1], AU12=[1, 0])
    assert untaught_labels(TAUGHT, manifest, fold) == {"never coded": ["AU01"], "never present": ["AU04"]}
    told = describe_untaught(TAUGHT, manifest, fold)
    assert [sentence.partition(" training images")[0] for sentence in told] == [
        "AU01: never coded in the 2",
        "AU04: never present in the 2",
    ]
    manifest, fold = _two_faces(TAUGHT, AU01=[1, 1], AU04=[1, 0], AU12=[0, 1])
    assert untaught_labels(TAUGHT, manifest, fold) == {"never absent": ["AU01"]}


def test_test_faces_teach_nothing() -> None:
    manifest, fold = _two_faces(TAUGHT, AU01=[0, 1])
    assert untaught_labels(TAUGHT, manifest, fold) == {}
    first = replace(fold, train=np.arange(1), test=np.arange(1, 2))
    assert "AU01" in untaught_labels(TAUGHT, manifest, first)["never present"]


def test_expressions_that_nobody_shows_are_named() -> None:
    data = replace(TAUGHT.data, action_units="none", expressions="neutral,happiness,anger")
    recipe = Recipe(name="expressions", data=data, model=TAUGHT.model, objective=ExpressionConfig())
    assert untaught_labels(recipe, *two_people(recipe)) == {"never present": ["anger"]}


def test_attention_isnt_taught_with_empty_landmarks() -> None:
    manifest, fold = _two_faces(TAUGHT, **_without_landmarks((0, 1), range(68)))
    with pytest.raises(DatasetError, match=r"x_0\.\.x_67 and y_0\.\.y_67 that are empty in all 2 training images"):
        refuse_unknown_places(TAUGHT, manifest, fold)
    untaught = replace(TAUGHT, objective=OccurrenceConfig())
    refuse_unknown_places(untaught, manifest, fold)
    assert not any("Attention" in sentence for sentence in describe_untaught(untaught, manifest, fold))


def test_images_and_units_without_landmarks_are_counted() -> None:
    labels = {code: [0, 1] for code in ("AU01", "AU04", "AU12")}
    manifest, fold = _two_faces(TAUGHT, **labels, **_without_landmarks((1,), range(68)))
    refuse_unknown_places(TAUGHT, manifest, fold)
    (told,) = describe_untaught(TAUGHT, manifest, fold)
    assert "1 of the 2 training images" in told
    mouth = _without_landmarks((0, 1), range(48, 68))
    (told,) = describe_untaught(TAUGHT, *_two_faces(TAUGHT, **labels, **mouth))
    assert told.startswith("Attention isn't taught for AU12:")
    jaw = _without_landmarks((0, 1), range(17))  # no rule needs it
    assert describe_untaught(TAUGHT, *_two_faces(TAUGHT, **labels, **jaw)) == []


def test_the_warning_comes_first_and_goes_with_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = draw_recipe(tmp_path / "faces")
    faces = write_drawn_faces(tmp_path / "faces.parquet", subjects=4, images=4)
    pl.read_parquet(faces).with_columns(AU12=pl.lit(None, pl.Int8)).write_parquet(faces)
    recipe = replace(recipe, data=replace(recipe.data, manifest=str(faces)))
    weights, _ = train(recipe, tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert "AU12: never coded in the " in said
    assert read_weight_info(weights).provenance["untaught"] == {"never coded": ["AU12"]}
    show_weights(["info", str(weights)])
    assert "never coded AU12" in " ".join(capsys.readouterr().out.split())
