"""Episodes, shares and peaks of a table whose answers are counted by hand."""

import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.inference.people import keep_person, summarise_bins, summarise_people

SMILE = ActionUnitSet.parse("AU12")
#               0    0.1  0.2  0.3  0.4  0.5   3.0  3.1
TIMES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 3.0, 3.1)
PROBABILITIES = (0.1, 0.7, 0.9, 0.2, 0.1, 0.8, 0.6, 0.1)


def table() -> pl.DataFrame:
    """One person who is out of sight from 0.6 to 3 seconds, another on one frame, and a frame without a face."""
    rows = [("a.mp4", 0, time, 1, value, int(value >= 0.5)) for time, value in zip(TIMES, PROBABILITIES, strict=True)]
    rows += [("b.mp4", 0, 0.0, 1, 0.3, 0), ("a.mp4", None, 1.0, 0, None, None)]  # type: ignore[list-item]
    return pl.DataFrame(rows, ["input", "face_id", "timestamp", "success", "AU12", "AU12_c"], orient="row")


def test_episodes_end_where_the_unit_or_the_face_is_gone() -> None:
    episodes = summarise_people(table(), SMILE).episodes
    assert episodes["input"].to_list() == ["a.mp4"] * 3
    assert episodes["start"].to_list() == pytest.approx([0.1, 0.5, 3.0])
    assert episodes["end"].to_list() == pytest.approx([0.3, 0.6, 3.1])
    assert episodes["length"].to_list() == pytest.approx([0.2, 0.1, 0.1])
    assert episodes["peak_probability"].to_list() == [0.9, 0.8, 0.6]


def test_people_have_shares_peaks_and_rates() -> None:
    people = summarise_people(table(), SMILE).people
    first, second = people.to_dicts()
    assert (first["input"], first["face_id"], first["action_unit"], first["frames"]) == ("a.mp4", 0, "AU12", 8)
    assert first["seconds"] == pytest.approx(0.8)
    assert first["present_share"] == pytest.approx(0.5)
    assert first["mean_probability"] == pytest.approx(sum(PROBABILITIES) / 8)
    assert (first["peak_probability"], first["peak_at"], first["episodes"]) == (0.9, 0.2, 3)
    assert first["episodes_per_minute"] == pytest.approx(3 / 0.8 * 60)
    assert first["longest_episode"] == pytest.approx(0.2)
    # A photograph has no duration, so no rate either.
    assert (second["frames"], second["episodes"], second["seconds"], second["episodes_per_minute"]) == (1, 0, 0.0, None)


def test_unreliable_frames_are_seen_and_do_not_count() -> None:
    doubt = table().with_columns(
        # The frames at 0.1 and 0.2 seconds, in which the person smiles, can't be relied on.
        pl.when(pl.col("timestamp").is_in([0.1, 0.2])).then(0).otherwise(1).alias("reliable")
    )
    found = summarise_people(doubt, SMILE)
    first = found.people.to_dicts()[0]
    assert (first["frames"], first["reliable_share"]) == (8, 0.75)
    assert first["present_share"] == pytest.approx(2 / 6)
    assert (first["peak_probability"], first["peak_at"]) == (0.8, 0.5)
    assert found.episodes["start"].to_list() == pytest.approx([0.5, 3.0])
    nothing = summarise_people(table().with_columns(pl.lit(0).alias("reliable")), SMILE).people.to_dicts()[0]
    assert (nothing["frames"], nothing["reliable_share"]) == (8, 0.0)
    empty = ("present_share", "mean_probability", "peak_probability", "peak_at", "episodes", "longest_episode")
    assert [nothing[name] for name in empty] == [None] * 6


def test_bins_go_through_the_whole_file() -> None:
    bins = summarise_bins(table(), SMILE, 1.0).filter(pl.col("input") == "a.mp4")
    assert bins["start"].to_list() == [0.0, 1.0, 3.0]
    assert bins["end"].to_list() == [1.0, 2.0, 4.0]
    # From 1 to 2 seconds the file has a frame on which the person isn't seen.
    assert bins["frames"].to_list() == [6, 0, 2]
    assert bins["present_share"].to_list() == [0.5, None, 0.5]
    assert bins["peak_probability"].to_list() == [0.9, None, 0.6]


def test_a_table_without_faces_has_no_people() -> None:
    nobody = table().filter(pl.col("success") == 0)
    assert summarise_people(nobody, SMILE).people.is_empty()


def crowd() -> pl.DataFrame:
    """Person 0 is near on two frames, person 1 far on three; on the last frame nobody is seen."""
    rows = [("a.mp4", 0, 0, 0.0, 1, 50.0, 0.9), ("a.mp4", 0, 1, 0.0, 1, 10.0, 0.1)]
    rows += [("a.mp4", 1, 0, 0.1, 1, 50.0, 0.8), ("a.mp4", 1, 1, 0.1, 1, 10.0, 0.2), ("a.mp4", 2, 1, 0.2, 1, 10.0, 0.3)]
    rows += [("a.mp4", 3, None, 0.3, 0, None, None)]  # type: ignore[list-item]
    names = ["input", "frame", "face_id", "timestamp", "success", "FaceRectWidth", "AU12"]
    return pl.DataFrame(rows, names, orient="row").with_columns(pl.col("FaceRectWidth").alias("FaceRectHeight"))


@pytest.mark.parametrize(
    ("which", "ids", "smiles"),
    [
        ("longest", [1, 1, 1, None], [0.1, 0.2, 0.3, None]),
        ("largest", [0, 0, None, None], [0.9, 0.8, None, None]),
        ("0", [0, 0, None, None], [0.9, 0.8, None, None]),
        ("7", [None] * 4, [None] * 4),
    ],
)
def test_one_person_is_kept(which: str, ids: list[int | None], smiles: list[float | None]) -> None:
    kept = keep_person(crowd(), which)
    assert kept.columns == crowd().columns
    assert kept["frame"].to_list() == [0, 1, 2, 3]
    assert kept["face_id"].to_list() == ids
    assert kept["AU12"].to_list() == smiles
    assert kept["success"].to_list() == [int(number is not None) for number in ids]
    assert kept["timestamp"].to_list() == [0.0, 0.1, 0.2, 0.3]
