"""Small videos written here, then read back."""

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import UInt8

from facskit.errors import MediaError
from facskit.faces.video import VideoWriter, frames, video_info

TIMES = [0.0, 0.04, 0.08, 0.12, 0.3, 0.34, 0.5, 0.54, 0.58, 0.9]  # a variable frame rate


def picture(number: int, height: int = 64, width: int = 96) -> UInt8[np.ndarray, "height width 3"]:
    """A red block in the top left corner and a grey level that counts."""
    image = np.full((height, width, 3), 20 * number, np.uint8)
    image[:20, :30] = (200, 50, 30)
    return image


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 25.0) as writer:
        for number, time in enumerate(TIMES):
            writer.write(picture(number), time)
    return path


def test_frames_come_back_in_order_with_their_times(video: Path) -> None:
    found = list(frames(video))
    assert [frame.index for frame in found] == list(range(10))
    np.testing.assert_allclose([frame.timestamp for frame in found], TIMES, atol=1e-3)
    for frame in found:
        assert frame.image.shape == (64, 96, 3)
        assert abs(int(frame.image[50, 80, 0]) - 20 * frame.index) <= 4
        assert np.abs(frame.image[5, 5].astype(int) - (200, 50, 30)).max() <= 12


def test_every_third_frame_keeps_number_and_time(video: Path) -> None:
    found = list(frames(video, every=3))
    assert [frame.index for frame in found] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.timestamp for frame in found], [0, 0.12, 0.5, 0.9], atol=1e-3)
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        next(frames(video, every=0))


def test_frames_are_decoded_one_by_one(video: Path) -> None:
    stream = frames(video)
    assert next(stream).index == 0
    stream.close()  # type: ignore[attr-defined]


def test_info(video: Path) -> None:
    info = video_info(video)
    assert (info.width, info.height, info.frames) == (96, 64, 10)
    assert info.fps > 5
    assert info.duration_s is not None


def turned(data: bytes) -> bytes:
    """Change an MP4's display matrix: a quarter turn clockwise, as phones store upright clips."""
    one, zero, minus, end = bytes([0, 1, 0, 0]), bytes(4), bytes([255, 255, 0, 0]), bytes([64, 0, 0, 0])
    unturned = one + zero * 3 + one + zero * 3 + end
    place = data.index(unturned, data.index(b"tkhd"))
    return data[:place] + zero + one + zero + minus + zero * 4 + end + data[place + 36 :]


def test_rotation_is_undone(video: Path, tmp_path: Path) -> None:
    phone = tmp_path / "phone.mp4"
    phone.write_bytes(turned(video.read_bytes()))
    image = next(frames(phone)).image
    assert image.shape == (96, 64, 3)
    assert np.abs(image[5, 58].astype(int) - (200, 50, 30)).max() <= 12  # top left went to the top right
    assert video_info(phone).width == 64


def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "odd.mp4", 10.0) as writer:
        writer.write(picture(1, 65, 97), 0.0)
    assert next(frames(tmp_path / "odd.mp4")).image.shape == (64, 96, 3)


def test_what_is_no_video_is_refused(video: Path, tmp_path: Path) -> None:
    text, empty, cut = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "cut.mp4"
    text.write_text("this is no video\n" * 20)
    empty.touch()
    cut.write_bytes(video.read_bytes()[:60])
    for path, sentence in [
        (text, "found no readable video in it"),
        (cut, "found no"),
        (empty, "found an empty file"),
        (tmp_path / "gone.mp4", "found no file there"),
    ]:
        with pytest.raises(MediaError) as caught:
            next(frames(path))
        assert str(caught.value).startswith(f"{path}: {sentence}")
        assert "expected a video such as MP4" in str(caught.value)


def test_a_photograph_called_video_is_one_frame_or_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(MediaError, match="expected a"):
        list(frames(tmp_path / "noise.avi"))


def test_damage_in_the_middle_is_reported_after_the_good_frames(video: Path, tmp_path: Path) -> None:
    data = bytearray(video.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 400] = b"\xff" * 400
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(data))
    with pytest.raises(MediaError, match=r"broken\.mp4: found (damaged data after \d+ good frames|no picture)"):
        list(frames(broken))


def test_nothing_half_written_remains(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    def interrupted() -> None:
        with VideoWriter(path, 25.0) as writer:
            writer.write(picture(0), 0.0)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MediaError, match=r"expected \.mp4 to write a video"):
        VideoWriter(tmp_path / "clip.avi", 25.0)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Twenty frames that fill their file evenly; the index comes first."""
    path, rng = tmp_path / "noisy.mp4", np.random.default_rng(0)
    with VideoWriter(path, 10.0) as writer:
        for number in range(20):
            writer.write(rng.integers(0, 255, (64, 96, 3), np.uint8), number / 10)
    return path


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_video_cut_short_says_so_after_the_last_good_frame(noisy: Path, share: float) -> None:
    data = noisy.read_bytes()
    start = data.index(b"mdat")
    noisy.write_bytes(data[: start + round(share * (len(data) - start))])
    good: list[int] = []
    with pytest.raises(MediaError, match=r"noisy\.mp4: found (\d+ of 20 frames, the file is|damaged data after \d+)"):
        good.extend(frame.index for frame in frames(noisy))  # extend keeps what came before the error
    assert good == list(range(len(good)))
    assert 0 < len(good) < 20


def test_a_trimmed_video_is_not_taken_for_a_damaged_one(noisy: Path) -> None:
    data = bytearray(noisy.read_bytes())
    place = data.index(b"elst") + 12
    length = int.from_bytes(data[place : place + 4], "big")
    data[place : place + 4] = (length // 2).to_bytes(4, "big")  # show the first half only, as phones trim clips
    noisy.write_bytes(bytes(data))
    assert 8 <= len(list(frames(noisy))) <= 13
