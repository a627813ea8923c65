"""Animated pictures are videos with the times that their files give; still ones are photographs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facskit.errors import MediaError
from facskit.faces.images import read_image
from facskit.faces.media_files import media_kind
from facskit.faces.video import FrameChoice, frames, video_info

GREYS = (40, 120, 200, 90)
MILLISECONDS = (100, 250, 80, 500)


def animation(path: Path, **options: object) -> Path:
    first, *others = [Image.new("RGB", (32, 24), (grey, grey, grey)) for grey in GREYS]
    settings: dict[str, Any] = {"duration": list(MILLISECONDS), "loop": 0} | options
    first.save(path, save_all=True, append_images=others, **settings)
    return path


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "avif"])
def test_an_animation_is_a_video_with_its_own_times(tmp_path: Path, ending: str) -> None:
    path = animation(tmp_path / f"wave.{ending}")
    assert media_kind(path) == "video"
    found = list(frames(path))
    assert [frame.index for frame in found] == [0, 1, 2, 3]
    assert [frame.timestamp for frame in found] == pytest.approx([0.0, 0.1, 0.35, 0.43])
    assert [frame.image.mean() for frame in found] == pytest.approx(GREYS, abs=3)
    info = video_info(path)
    assert (info.width, info.height, info.frames) == (32, 24, 4)
    assert info.duration_s == pytest.approx(0.93)
    assert info.length_declared


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "avif"])
def test_a_still_picture_of_such_a_kind_is_a_photograph(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"still.{ending}"
    Image.new("RGB", (32, 24), (200, 200, 200)).save(path)
    assert media_kind(path) == "photograph"
    assert read_image(path).shape == (24, 32, 3)


def test_frames_of_an_animation_are_chosen_as_those_of_any_video(tmp_path: Path) -> None:
    path = animation(tmp_path / "wave.gif")
    assert [frame.index for frame in frames(path, FrameChoice(every=3))] == [0, 3]
    assert [frame.index for frame in frames(path, FrameChoice(start=0.09, end=0.4))] == [1, 2]
    assert [frame.index for frame in frames(path, FrameChoice(per_second=4.0))] == [0, 2]


def test_frames_in_haste_last_a_tenth_of_a_second_as_in_browsers(tmp_path: Path) -> None:
    path = animation(tmp_path / "fast.gif", duration=[0, 10, 20, 0])
    assert [frame.timestamp for frame in frames(path)] == pytest.approx([0.0, 0.1, 0.2, 0.22])


def test_a_picture_for_programs_without_animations_does_not_count(tmp_path: Path) -> None:
    path = animation(tmp_path / "wave.png", default_image=True, duration=list(MILLISECONDS[1:]))
    found = list(frames(path))
    assert [frame.image.mean() for frame in found] == pytest.approx(GREYS[1:])
    assert [frame.timestamp for frame in found] == pytest.approx([0.0, 0.25, 0.33])


def test_transparency_of_an_animation_is_on_white(tmp_path: Path) -> None:
    clear = [Image.new("RGBA", (16, 16), (0, 0, 0, 0)), Image.new("RGBA", (16, 16), (10, 20, 30, 255))]
    clear[0].save(tmp_path / "clear.png", save_all=True, append_images=clear[1:], duration=100)
    assert [frame.image[3, 4].tolist() for frame in frames(tmp_path / "clear.png")] == [[255] * 3, [10, 20, 30]]


def test_a_damaged_animation_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(4)]
    path = tmp_path / "cut.png"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(MediaError, match=r"cut\.png: found damaged data after 2 good frames; expected a complete anim"):
        list(frames(path))
