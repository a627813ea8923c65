"""Overlays keep the picture, add legible panels, and hold a video's size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facskit.action_units import BP4D, DISFA_8, NO_ACTION_UNITS, RENDERED
from facskit.errors import RecipeError
from facskit.faces.images import read_image
from facskit.faces.video import frames
from facskit.inference.overlay import OverlayConfig, draw
from facskit.inference.overlay_files import Overlays
from facskit.inference.recognition import RecognizedFrame
from tests.inference.fakes import MOODS, moody_recognition, picture, recognition


def test_a_strip_is_added_on_the_right() -> None:
    image = picture(height=900, width=800)
    drawn = draw(image, [recognition()])
    assert drawn.shape[0] == 900
    assert 200 < drawn.shape[1] - 800 < 800
    np.testing.assert_array_equal(drawn[200:, 200:800], image[200:, 200:])  # away from the face nothing changes
    strip = drawn[:, 800:]
    assert (strip == 255).mean() > 0.6
    assert (strip.min(axis=2) < 128).sum() > 500  # text and bars


def test_small_pictures_are_enlarged_and_stay_legible() -> None:
    drawn = draw(picture(height=60, width=100), [recognition(action_units=RENDERED)])
    assert drawn.shape[1] > 640
    assert drawn.shape[0] >= 21 * 1.4 * 10  # 21 lines of at least 10 pixels


def test_several_faces_of_a_wide_picture_go_below() -> None:
    image = picture(height=400, width=1500)
    drawn = draw(image, [recognition(0, BP4D), recognition(1, BP4D), recognition(2, BP4D)])
    assert drawn.shape[1] == 1500
    assert drawn.shape[0] > 600


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (2000, 1500), (1080, 1920)])
@pytest.mark.parametrize("faces", [1, 2, 7])
def test_every_panel_fits_on_the_canvas(size: tuple[int, int], faces: int) -> None:
    image = picture(height=size[0], width=size[1])
    found = [recognition(face_id, RENDERED) for face_id in range(faces)]
    drawn = draw(image, found)
    border = np.concatenate([drawn[-1:], drawn[:, -1:].transpose(1, 0, 2)], axis=1)
    zoom = max(1.0, 640 / max(size))
    outside = drawn[round(size[0] * zoom) :, :], drawn[:, round(size[1] * zoom) :]
    assert max(part.size for part in outside) > 0
    assert (border.reshape(-1, 3).min(axis=1) > 30).all()  # no text or bar is cut off at the edge
    assert drawn.shape[0] < 6 * max(size) * zoom


def test_bars_follow_the_probabilities() -> None:
    low = recognition(probabilities=np.full(8, 0.1, np.float32), decisions=np.zeros(8, bool))
    high = recognition(probabilities=np.full(8, 0.9, np.float32), decisions=np.ones(8, bool))
    image = picture(height=600, width=600)

    def coloured(face: object) -> int:
        strip = draw(image, [face])[:, 600:].astype(int)  # type: ignore[list-item]
        return int(((strip[..., 2] - strip[..., 0]) > 60).sum())

    assert coloured(high) > 5 * coloured(low)


def test_an_unreliable_face_has_no_coloured_bar() -> None:
    image = picture(height=600, width=600)
    sure = draw(image, [recognition()])[:, 600:].astype(int)
    unsure = draw(image, [recognition(unreliable_because=("turned away",))])[:, 600:].astype(int)
    bars = slice(60, None)
    assert (np.ptp(sure[bars], axis=2) > 60).sum() > 500
    assert (np.ptp(unsure[bars], axis=2) > 60).sum() == 0
    # The reason stands in the title's line.
    assert (np.ptp(unsure[:60], axis=2) > 60).sum() > 50


def test_expressions_stand_above_action_units() -> None:
    image = picture(height=700, width=700)
    units, both, alone = (
        draw(image, [face])[:, 700:] for face in (recognition(), moody_recognition(), moody_recognition(units=False))
    )

    def inked(strip: np.ndarray) -> int:
        return int((strip.min(axis=2) < 128).any(axis=1).sum())  # rows of pixels with text or bars

    assert inked(alone) < inked(units) < inked(both)
    shares = np.array([0.98, 0.01, 0.01], np.float32)
    other = draw(image, [moody_recognition(expression_probabilities=shares)])[:, 700:]
    changed = np.flatnonzero((other != both).any(axis=(1, 2)))
    assert changed.size
    assert changed.max() < 0.35 * both.shape[0]  # the units below stay


def test_a_videos_frames_share_one_size_with_expressions() -> None:
    image = picture(height=480, width=640)
    for units in (True, False):
        known = DISFA_8 if units else NO_ACTION_UNITS
        config = OverlayConfig(panels=2, action_units=known, expressions=MOODS)
        faces = [moody_recognition(number, units=units) for number in range(2)]
        assert len({draw(image, faces[:count], config).shape for count in range(3)}) == 1


def test_nothing_to_show_is_the_picture_itself() -> None:
    image = picture(height=700, width=800)
    np.testing.assert_array_equal(draw(image, []), image)


def test_a_videos_frames_share_one_size() -> None:
    config = OverlayConfig(panels=2, action_units=DISFA_8)
    image = picture(height=480, width=640)
    sizes = {draw(image, [recognition(n) for n in range(faces)], config).shape for faces in (0, 1, 2, 5)}
    assert len(sizes) == 1


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match="action_units or expressions must be given when room is kept for 2 panels"):
        OverlayConfig(panels=2)
    with pytest.raises(ValueError, match="panels must be 0 or more, got -1"):
        OverlayConfig(panels=-1)
    with pytest.raises(ValueError, match="least_side must be from 1 to 4096 pixels, got 0"):
        OverlayConfig(least_side=0)


def frame(number: int, faces: int) -> RecognizedFrame:
    found = tuple(recognition(face_id) for face_id in range(faces))
    return RecognizedFrame(source="a", frame=number, timestamp=number / 10, image=picture(), faces=found)


def test_files_get_names_of_their_own(tmp_path: Path) -> None:
    files = [Path("x/portrait.png"), Path("y/portrait.jpg"), Path("clip.mov")]
    overlays = Overlays(files, DISFA_8, folder=tmp_path / "new" / "folder")
    overlays.write_photo(files[0], frame(0, 1))
    overlays.write_photo(files[1], frame(0, 0))
    with overlays.video(files[2], 10.0) as append:
        for number in range(4):
            append(frame(number, number % 3))
    folder = tmp_path / "new" / "folder"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["clip_overlay.mp4", "x_portrait_overlay.jpg", "y_portrait_overlay.jpg"]
    assert read_image(folder / "x_portrait_overlay.jpg").shape[1] > 640
    np.testing.assert_allclose([f.timestamp for f in frames(folder / "clip_overlay.mp4")], [0, 0.1, 0.2, 0.3])
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match="found a file, expected a folder for the overlays"):
        Overlays(files, DISFA_8, folder=tmp_path / "file")


def test_the_one_video_can_have_a_name(tmp_path: Path) -> None:
    clip = Path("clip.mov")
    overlays = Overlays([clip], DISFA_8, video_file=tmp_path / "talk.mp4")
    with overlays.video(clip, 10.0, start=2.0) as append:
        append(replace(frame(20, 1), timestamp=2.0))
        append(replace(frame(21, 1), timestamp=2.1))
    found = list(frames(tmp_path / "talk.mp4"))
    np.testing.assert_allclose([f.timestamp for f in found], [0, 0.1])
    # Large enough for the text to be read.
    assert found[0].image.shape[1] >= 1280
    # Without a folder, photographs and videos that nobody asked for go nowhere.
    nothing = Overlays([clip], DISFA_8)
    nothing.write_photo(clip, frame(0, 1))
    with nothing.video(clip, 10.0) as append:
        append(frame(0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]
