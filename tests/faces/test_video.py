"""Small videos written here, then read back."""

from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from jaxtyping import UInt8

from facskit.errors import MediaError
from facskit.faces.video import FrameChoice, VideoWriter, frames, video_info

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
    found = list(frames(video, FrameChoice(every=3)))
    assert [frame.index for frame in found] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.timestamp for frame in found], [0, 0.12, 0.5, 0.9], atol=1e-3)
    with pytest.raises(ValueError, match="every must be a whole number of at least 1, got 0"):
        FrameChoice(every=0)


def test_a_stretch_of_a_video_at_a_lower_rate(video: Path) -> None:
    """The clock decides, not the number of frames: this video's rate varies."""
    found = list(frames(video, FrameChoice(start=0.05, end=0.6)))
    assert [frame.index for frame in found] == [2, 3, 4, 5, 6, 7, 8]
    assert found[0].timestamp == pytest.approx(0.08, abs=1e-3)
    assert [frame.index for frame in frames(video, FrameChoice(per_second=10.0))] == [0, 3, 4, 6, 9]
    assert [frame.index for frame in frames(video, FrameChoice(per_second=1000.0))] == list(range(10))
    assert FrameChoice(per_second=5.0, end=2.0).count(replace(video_info(video), duration_s=60.0, fps=25.0)) == 10
    for wrong in ({"start": -1.0}, {"start": 2.0, "end": 1.0}, {"per_second": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            FrameChoice(**wrong)  # type: ignore[arg-type]


def test_frames_are_decoded_one_by_one(video: Path) -> None:
    stream = frames(video)
    assert next(stream).index == 0
    stream.close()


def test_info(video: Path) -> None:
    info = video_info(video)
    assert (info.width, info.height, info.frames) == (96, 64, 10)
    assert info.fps > 5
    assert info.duration_s is not None


def with_matrix(data: bytes, numbers: tuple[int, int, int, int]) -> bytes:
    """Replace the four numbers of an MP4's display matrix that turn and mirror."""

    def block(a: int, b: int, c: int, d: int) -> bytes:
        values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        return b"".join(value.to_bytes(4, "big", signed=True) for value in values)

    plain = block(1, 0, 0, 1)
    place = data.index(plain, data.index(b"tkhd"))
    return data[:place] + block(*numbers) + data[place + len(plain) :]


def test_rotation_is_undone(video: Path, tmp_path: Path) -> None:
    phone = tmp_path / "phone.mp4"
    phone.write_bytes(with_matrix(video.read_bytes(), (0, 1, -1, 0)))  # a quarter turn clockwise
    image = next(frames(phone)).image
    assert image.shape == (96, 64, 3)
    assert np.abs(image[5, 58].astype(int) - (200, 50, 30)).max() <= 12  # top left went to the top right
    assert video_info(phone).width == 64


@pytest.mark.parametrize(
    ("matrix", "shape", "corner"),
    [
        ((1, 0, 0, 1), (64, 96), (5, 5)),
        ((-1, 0, 0, 1), (64, 96), (5, 90)),
        ((1, 0, 0, -1), (64, 96), (58, 5)),
        ((-1, 0, 0, -1), (64, 96), (58, 90)),
        ((0, 1, 1, 0), (96, 64), (5, 5)),
        ((0, 1, -1, 0), (96, 64), (5, 58)),
        ((0, -1, 1, 0), (96, 64), (90, 5)),
        ((0, -1, -1, 0), (96, 64), (90, 58)),
    ],
)
def test_every_display_matrix_is_applied(
    video: Path, tmp_path: Path, matrix: tuple[int, int, int, int], shape: tuple[int, int], corner: tuple[int, int]
) -> None:
    shown = tmp_path / "shown.mp4"
    shown.write_bytes(with_matrix(video.read_bytes(), matrix))
    image = next(frames(shown)).image
    assert image.shape[:2] == shape
    assert np.abs(image[corner].astype(int) - (200, 50, 30)).max() <= 12


def encode(path: Path, count: int, codec: str, kind: str, aspect: Fraction | None = None, **options: str) -> None:
    """Write a video of any kind, one key frame in ten."""
    with av.open(str(path), "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.video.stream.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.gop_size = 10
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        rng = np.random.default_rng(0)
        for number in range(count):
            noisy = np.clip(picture(number % 12).astype(int) + rng.integers(-20, 20, (64, 96, 3)), 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(("aspect", "shape"), [(Fraction(4, 3), (64, 128)), (Fraction(8, 9), (72, 96))])
def test_pixels_that_are_not_square_are_stretched(tmp_path: Path, aspect: Fraction, shape: tuple[int, int]) -> None:
    encode(tmp_path / "wide.mp4", 2, "libx264", "mp4", aspect)
    assert next(frames(tmp_path / "wide.mp4")).image.shape[:2] == shape
    info = video_info(tmp_path / "wide.mp4")
    assert (info.height, info.width) == shape


@pytest.mark.parametrize(
    ("ending", "codec", "kind"),
    [
        ("mkv", "libx264", "matroska"),
        ("webm", "libvpx-vp9", "webm"),
        ("avi", "mpeg4", "avi"),
        ("wmv", "wmv2", "asf"),
        ("flv", "libx264", "flv"),
    ],
)
def test_cut_videos_are_noticed_whatever_their_kind(tmp_path: Path, ending: str, codec: str, kind: str) -> None:
    path = tmp_path / f"clip.{ending}"
    encode(path, 100, codec, kind)
    assert len(list(frames(path))) == 100
    assert video_info(path).length_declared
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"(4\.\d seconds|100 frames|\d+ bytes|good frames).*a complete video"):
        list(frames(path))


def test_streams_without_a_length_say_so(tmp_path: Path) -> None:
    encode(tmp_path / "camera.ts", 50, "libx264", "mpegts")
    encode(tmp_path / "stream.mp4", 50, "libx264", "mp4", movflags="frag_keyframe+empty_moov")
    assert not video_info(tmp_path / "camera.ts").length_declared
    assert not video_info(tmp_path / "stream.mp4").length_declared


def test_a_clock_that_starts_late_is_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = 7000 + 40 * number, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = list(frames(path))
    assert len(found) == 10
    assert found[0].timestamp == 0
    assert found[-1].timestamp == pytest.approx(0.36)


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
    with pytest.raises(MediaError, match=r"broken\.mp4: found (damaged data, \d+ frames are missing|no picture)"):
        list(frames(broken))


def test_decoding_goes_on_after_damage_at_the_next_key_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    encode(path, 60, "libx264", "mp4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(0).integers(0, 256, 1500, np.uint8).tobytes()
    path.write_bytes(data)
    found: list[int] = []

    def read() -> None:
        found.extend(frame.index for frame in frames(path))

    with pytest.raises(MediaError, match=r"found damaged data, \d+ frames are missing \(number \d+ to \d+\)"):
        read()
    assert found[0] == 0
    assert found[-1] == 59
    assert 40 <= len(found) < 60
    gap = next(number for number in range(60) if number not in found)
    assert 20 <= gap <= 40


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


@pytest.mark.parametrize(("every", "is_fine"), [(np.int64(2), True), (1.5, False), ("2", False), (None, False)])
def test_every_is_a_whole_number_of_any_type(every: object, is_fine: bool) -> None:
    choice = FrameChoice()
    object.__setattr__(choice, "every", every)  # past the type checker of these tests, which users don't have
    with nullcontext() if is_fine else pytest.raises(ValueError, match=f"whole number of at least 1, got {every!r}"):
        choice.__post_init__()
