"""Timelines draw who shows what, grey where that can't be said."""

from pathlib import Path

import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError
from facskit.faces.images import read_image
from facskit.inference.timeline import draw_timeline, write_timelines

UNITS = ActionUnitSet.parse("AU04,AU12")


def rows(source: str = "a/talk.mp4", people: int = 2, seconds: float = 10.0) -> pl.DataFrame:
    """Person 0 smiles from second 2 to 4 and is unreliable from 6 to 8; nobody lowers their brows."""
    cells = []
    for number in range(round(10 * seconds)):
        time = number / 10
        for person in range(people):
            smiles = int(person == 0 and 2 <= time < 4)
            reliable = int(not (person == 0 and 6 <= time < 8))
            cells.append((source, number, person, time, 1, reliable, 0.1, 0.2 + 0.7 * smiles, 0, smiles))
    names = ["input", "frame", "face_id", "timestamp", "success", "reliable", "AU04", "AU12", "AU04_c", "AU12_c"]
    return pl.DataFrame(cells, names, orient="row")


def test_a_panel_each_and_a_lane_for_what_is_shown() -> None:
    figure = draw_timeline(rows(), UNITS)
    first, second = figure.axes
    assert "person 0: seen on 100% of the frames, unreliable on 20% of them" in first.get_title(loc="left")
    assert second.get_title(loc="left") == "person 1: seen on 100% of the frames"
    assert [label.get_text() for label in first.get_yticklabels()] == ["Lip corner puller  AU12"]
    assert "never present: AU04" in (figure.get_supxlabel())
    # Present from second 2 to 4, unreliable from 6 to 8.
    light, full, grey = first.collections
    assert full.get_datalim(first.transData).x0 == pytest.approx(2.0)
    assert full.get_datalim(first.transData).x1 == pytest.approx(4.0)
    assert grey.get_datalim(first.transData).x0 == pytest.approx(6.0)
    assert grey.get_datalim(first.transData).x1 == pytest.approx(8.0)
    assert light.get_datalim(first.transData).x1 == pytest.approx(10.0)


def test_pictures_are_called_like_their_videos(tmp_path: Path) -> None:
    table = pl.concat([rows(), rows("b/talk.mp4"), rows("photo.jpg", people=1, seconds=0.1)])
    names = [picture.name for picture in write_timelines(table, UNITS, tmp_path / "figures")]
    assert names == ["a_talk_timeline.png", "b_talk_timeline.png"]
    assert read_image(tmp_path / "figures" / names[0]).shape[1] > 1000
    assert write_timelines(rows(), UNITS, tmp_path / "one.svg") == [tmp_path / "one.svg"]
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()[:1000]
    with pytest.raises(RecipeError, match=r"one\.png: a picture holds the timeline of one video, found 2"):
        write_timelines(table, UNITS, tmp_path / "one.png")
    with pytest.raises(RecipeError, match="a timeline is about a video"):
        write_timelines(rows("photo.jpg", seconds=0.1), UNITS, tmp_path / "two.png")


def test_who_shows_nothing_can_be_drawn() -> None:
    still = rows().with_columns(pl.lit(0).alias("AU12_c"))
    figure = draw_timeline(still, UNITS)
    assert "never present: AU04, AU12" in figure.get_supxlabel()
    assert len(figure.axes[0].collections) == 1  # the grey of what can't be relied on


def test_nobody_and_a_long_recording_can_be_drawn() -> None:
    nobody = rows().with_columns(pl.lit(0).alias("success"))
    assert draw_timeline(nobody, UNITS).axes[0].get_title(loc="left") == "no face was found"
    long = draw_timeline(rows(people=1, seconds=1000.0), UNITS)
    assert long.axes[0].get_xlabel() == "time in minutes:seconds"
