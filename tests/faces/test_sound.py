"""Sound stays with its pictures: beeps are heard when they were."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facskit.faces.sound import Sound
from facskit.faces.video import VideoWriter

RATE = 22050


@pytest.fixture
def beeping(tmp_path: Path) -> Path:
    """Three seconds of grey pictures whose sound beeps at every full second."""
    path = tmp_path / "beeping.mkv"
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=10), container.add_stream("flac", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio.layout = "mono"
        for number in range(30):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        times = np.arange(3 * RATE) / RATE
        wave = (np.sin(2 * np.pi * 880 * times) * (times % 1 < 0.1) * 12000).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        sound.rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(audio.encode(sound))
        container.mux(audio.encode())
    return path


def beeps(path: Path) -> list[float]:
    """Return when each beep begins, in seconds."""
    heard, times = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            heard.append(np.abs(frame.to_ndarray()).max(axis=0))
            times.append(float(frame.time or 0.0) + np.arange(frame.samples) / frame.rate)
    loud = np.concatenate(times)[np.concatenate(heard) > 0.1]
    return [float(loud[place]) for place in np.flatnonzero(np.diff(loud, prepend=-1.0) > 0.3)]


def write(path: Path, sound: Sound, seconds: float) -> None:
    with VideoWriter(path, 10.0, sound) as writer:
        for number in range(round(10 * seconds)):
            writer.write(np.full((64, 64, 3), 8 * number, np.uint8), number / 10)


def test_sound_is_heard_when_it_was(beeping: Path, tmp_path: Path) -> None:
    write(tmp_path / "copy.mp4", Sound(source=beeping), 3.0)
    assert beeps(tmp_path / "copy.mp4") == pytest.approx([0, 1, 2], abs=0.03)


def test_a_stretch_has_the_sound_of_that_stretch(beeping: Path, tmp_path: Path) -> None:
    write(tmp_path / "part.mp4", Sound(source=beeping, start=0.6), 1.0)
    assert beeps(tmp_path / "part.mp4") == pytest.approx([0.4], abs=0.03)
    with av.open(str(tmp_path / "part.mp4")) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(1.0, abs=0.15)


def test_a_silent_source_gives_a_silent_video(tmp_path: Path) -> None:
    write(tmp_path / "silent.mp4", Sound(source=tmp_path / "nowhere.mp4"), 0.5)
    write(tmp_path / "copy.mp4", Sound(source=tmp_path / "silent.mp4"), 0.5)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert not container.streams.audio
        assert sum(1 for _ in container.decode(video=0)) == 5
