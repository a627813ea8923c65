"""Maps show what is clustered, and the numbers beside them are of the features."""

from pathlib import Path

import numpy as np
import pytest

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.identity.embedding import Embedding, EmbeddingConfig, embed_features
from facskit.evaluation.identity.embedding_figure import draw_embeddings, shown_units

UNITS = ActionUnitSet.parse("AU01,AU12,AU25")
CONFIG = EmbeddingConfig(subjects=4, perplexity=10.0)


def _embedding(identity: float, unit: float, config: EmbeddingConfig = CONFIG) -> Embedding:
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"S{number}" for number in range(6)], 15)
    labels = (rng.random((90, 3)) < 0.5).astype(np.int8)
    labels[:, 1] = 0  # never there
    labels[:10, 2] = -1
    values = rng.normal(size=(90, 8))
    values[:, 0] += unit * labels[:, 0]
    values[:, 1:] += identity * np.repeat(rng.normal(size=(6, 7)), 15, axis=0)
    return embed_features(values.astype(np.float32), subjects, labels, UNITS, config)


def test_people_are_clustered_where_identity_is() -> None:
    found = _embedding(identity=8.0, unit=0.0)
    assert len(set(found.subjects)) == 4
    assert found.points.shape == (60, 2)
    assert found.by_subject.silhouette > 0.5
    assert found.by_subject.neighbour_accuracy == 1.0
    assert found.by_subject.chance == pytest.approx(0.25, abs=0.08)
    # A map that keeps neighbours: the nearest point is of the same person.
    distances = np.linalg.norm(found.points[:, None] - found.points[None], axis=2) + 1e9 * np.eye(60)
    assert np.mean(np.array(found.subjects)[distances.argmin(axis=1)] == np.array(found.subjects)) > 0.9


def test_nobody_is_clustered_where_identity_is_not() -> None:
    found = _embedding(identity=0.0, unit=0.0)
    assert abs(found.by_subject.silhouette) < 0.1
    assert found.by_subject.neighbour_accuracy < 0.45


def test_units_are_judged_by_other_peoples_faces() -> None:
    found = _embedding(identity=0.0, unit=12.0)
    assert set(found.by_unit) == {"AU01", "AU25"}  # AU12 is never there
    assert found.by_unit["AU01"].neighbour_accuracy > 0.9
    assert found.by_unit["AU25"].neighbour_accuracy < 0.7
    assert found.by_unit["AU01"].silhouette > found.by_unit["AU25"].silhouette
    # Features that know people alone say nothing about an AU, however often a person shows it.
    rng = np.random.default_rng(1)
    subjects = np.repeat(["a", "b", "c", "d"], 15)
    labels = np.repeat([[1], [1], [0], [0]], 15, axis=0).astype(np.int8)
    corners = 9 * np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) @ np.array([[1, 0], [0, 1]])
    values = rng.normal(size=(60, 2)) + np.repeat(corners[[0, 2, 1, 3]], 15, axis=0)
    alone = embed_features(values, subjects, labels, ActionUnitSet.parse("AU12"), CONFIG)
    assert alone.by_subject.neighbour_accuracy == 1.0
    assert alone.by_unit["AU12"].neighbour_accuracy < 0.7


def test_it_is_deterministic() -> None:
    first, second = _embedding(2.0, 1.0), _embedding(2.0, 1.0)
    assert first.points.tolist() == second.points.tolist()
    assert (first.by_subject, first.by_unit) == (second.by_subject, second.by_unit)


def test_the_picture_has_a_row_for_each_network(tmp_path: Path) -> None:
    maps = {"one": _embedding(8.0, 0.0), "two": _embedding(0.0, 8.0)}
    assert set(shown_units(maps["one"])) == {"AU01", "AU25"}
    draw_embeddings(maps, tmp_path / "two.png")
    draw_embeddings({"one": maps["one"]}, tmp_path / "one.png")
    heights = [int.from_bytes((tmp_path / f"{name}.png").read_bytes()[20:24], "big") for name in ("one", "two")]
    assert heights[1] > 1.8 * heights[0]


def test_mistakes_are_named() -> None:
    few = np.zeros((6, 2), np.float32)
    with pytest.raises(DatasetError, match="6 faces of 2 subjects; a map needs at least 15 faces of 2 subjects"):
        embed_features(few, ["a", "b"] * 3, np.zeros((6, 3), np.int8), UNITS)
    with pytest.raises(ValueError, match="subjects must be at least 2, got 1"):
        EmbeddingConfig(subjects=1)
    with pytest.raises(ValueError, match="perplexity must be above 1, got 1.0"):
        EmbeddingConfig(perplexity=1.0)
