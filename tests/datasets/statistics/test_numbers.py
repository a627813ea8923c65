"""Counting what a manifest holds, against loops that count one row at a time."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.datasets.folds import make_folds
from facskit.datasets.folds_config import SubjectFolds
from facskit.datasets.manifest import Manifest
from facskit.datasets.origin import DataOrigin
from facskit.datasets.packed import packaged_faces
from facskit.datasets.statistics.figure import draw_statistics
from facskit.datasets.statistics.numbers import count_runs, describe_manifest
from facskit.datasets.statistics.report import statistics_dict, statistics_markdown, statistics_tables

UNITS = ActionUnitSet.parse("1 2 4")


def _manifest(
    labels: np.ndarray, frames: list[int], recordings: list[str], subjects: list[str], corpus: str | None = None
) -> Manifest:
    columns = {
        code: pl.Series(column.tolist(), dtype=pl.Int8) for code, column in zip(UNITS.codes, labels.T, strict=True)
    }
    columns = {code: column.replace(-1, None) for code, column in columns.items()}
    table = pl.DataFrame(
        {
            "image": [f"{row}.jpg" for row in range(len(frames))],
            "subject": pl.Series(subjects, dtype=pl.Categorical),
            "recording": recordings,
            "frame": frames,
            **columns,
        }
    )
    origin = None if corpus is None else DataOrigin(corpus=corpus)
    return Manifest(table=table, root=Path(), action_units=UNITS, origin=origin)


def _random_manifest(rows: int = 400, shuffled: bool = True) -> Manifest:
    rng = np.random.default_rng(7)
    labels = rng.choice([0, 1, -1], (rows, 3), p=(0.4, 0.5, 0.1))
    numbers = np.arange(rows)
    frames = numbers % 50 + (numbers % 50 > 20) * 3  # a gap in every recording
    order = rng.permutation(rows) if shuffled else numbers
    recordings = [f"T{number // 50 % 2}" for number in order]
    subjects = [f"S{number // 100}" for number in order]
    return _manifest(labels[order], frames[order].tolist(), recordings, subjects)


def _naive_runs(manifest: Manifest, code: str) -> list[int]:
    rows = sorted(manifest.table.select("subject", "recording", "frame", code).rows(), key=lambda row: row[:3])
    lengths: list[int] = []
    before = None
    for subject, recording, frame, value in rows:
        follows = before == (subject, recording, frame - 1)
        if value == 1:
            if follows:
                lengths[-1] += 1
            else:
                lengths.append(1)
            before = (subject, recording, frame)
        else:
            before = None
    return sorted(lengths)


def test_runs_are_those_of_a_loop_whatever_the_order_of_rows() -> None:
    for shuffled in (True, False):
        manifest = _random_manifest(shuffled=shuffled)
        runs = count_runs(manifest)
        assert runs is not None
        assert runs.recordings == 8
        for place, code in enumerate(UNITS.codes):
            assert runs.lengths[place].tolist() == _naive_runs(manifest, code)


def test_gaps_unknown_labels_and_new_recordings_end_a_run() -> None:
    labels = np.array([[1, 1, 1], [1, -1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 1]])
    manifest = _manifest(labels, [1, 2, 4, 5, 6], ["T1"] * 4 + ["T2"], ["F001"] * 5)
    runs = count_runs(manifest)
    assert runs is not None
    assert [lengths.tolist() for lengths in runs.lengths] == [[1, 2, 2], [1, 1, 2], [1, 1, 2]]


def test_a_frame_that_stands_twice_ends_a_run() -> None:
    runs = count_runs(_manifest(np.ones((3, 3), int), [1, 1, 2], ["T1"] * 3, ["F001"] * 3))
    assert runs is not None
    assert runs.lengths[0].tolist() == [1, 2]


def test_rows_that_are_no_frames_of_recordings_have_no_runs() -> None:
    manifest = _manifest(np.ones((3, 3), int), [1, 2, 3], ["a", "b", "c"], ["F001"] * 3)
    assert count_runs(manifest) is None
    bare = Manifest(table=manifest.table.drop("recording"), root=Path(), action_units=UNITS)
    assert count_runs(bare) is None


def test_co_occurrence_is_counted_where_both_are_known() -> None:
    manifest = _random_manifest()
    together = describe_manifest(manifest, name="x").together
    labels = manifest.labels
    for one in range(3):
        for other in range(3):
            known = (labels[:, one] >= 0) & (labels[:, other] >= 0)
            here, there = labels[known, one] == 1, labels[known, other] == 1
            assert together.conditional[one, other] == pytest.approx((here & there).sum() / there.sum())
            assert together.jaccard[one, other] == pytest.approx((here & there).sum() / (here | there).sum())
            assert together.phi[one, other] == pytest.approx(np.corrcoef(here, there)[0, 1])


def test_an_au_that_never_occurs_has_no_correlation() -> None:
    labels = np.array([[1, 0, -1], [0, 0, -1], [1, 0, -1]])
    found = describe_manifest(_manifest(labels, [1, 2, 3], ["T1"] * 3, ["F001"] * 3), name="x")
    assert np.isnan(found.together.phi[0, 1])
    assert found.together.conditional[1, 0] == 0
    assert found.unknown.tolist() == [0, 0, 1]
    assert np.isnan(found.rates[2])


def test_people_and_folds_add_up() -> None:
    manifest = _random_manifest()
    folds = make_folds(SubjectFolds(k=2, validation_fraction=0.0), manifest.subjects, manifest.labels)
    found = describe_manifest(manifest, name="x", folds=folds)
    assert found.subject_frames.tolist() == [100] * 4
    assert sum(fold.frames for fold in found.folds) == 400
    assert np.array_equal(sum(fold.present for fold in found.folds), (manifest.labels == 1).sum(axis=0))
    assert np.array_equal(found.present, (manifest.labels == 1).sum(axis=0))
    own = manifest.labels[manifest.subjects == "S1"]
    assert found.subject_rates[1, 0] == pytest.approx((own[:, 0] == 1).sum() / (own[:, 0] >= 0).sum())


def test_seconds_come_from_the_corpus_unless_given() -> None:
    labels = np.ones((2, 3), int)
    manifest = _manifest(labels, [1, 2], ["T1", "T1"], ["F001"] * 2, corpus="bp4d")
    assert describe_manifest(manifest, name="x").fps == 25
    assert describe_manifest(manifest, name="x", fps=10.0).fps == 10
    assert describe_manifest(_random_manifest(), name="x").fps is None


def test_reports_hold_the_same_numbers(tmp_path: Path) -> None:
    found = describe_manifest(packaged_faces(), name="faces")
    text = statistics_markdown([found, describe_manifest(_random_manifest(), name="random")])
    assert "| AU25 | Lips part" in text
    assert "AU06 and AU12" in text
    assert "## random: people" in text
    numbers = statistics_dict([found])["manifests"][0]
    assert numbers["present"]["AU25"] == int((packaged_faces().labels[:, 15] == 1).sum())
    assert not any("people" in table.title for table in statistics_tables([found], short=True))


def test_the_page_of_pictures_is_drawn_for_one_and_for_several(tmp_path: Path) -> None:
    faces = describe_manifest(packaged_faces(), name="faces")
    for number, parts in enumerate(([faces], [faces, describe_manifest(_random_manifest(), name="random")])):
        picture = tmp_path / f"{number}.png"
        draw_statistics(parts, picture)
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size > 20_000
