"""Detect, track, crop, recognise, with parts simple enough to know the answer."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from facskit.action_units import DISFA_8
from facskit.errors import CheckpointError, MediaError
from facskit.faces.images import write_image
from facskit.faces.normalization import normalize
from facskit.faces.video import Frame, FrameChoice, VideoWriter
from facskit.inference.face_geometry import unmirrored
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.torch_network import TorchNetwork
from facskit.models.answers import Answers
from facskit.models.build import build_model
from facskit.models.calibration import Calibration
from facskit.models.checkpoints import save_checkpoint
from facskit.models.compact_network import CompactConfig
from tests.faces.portraits import LANDMARKS, portrait
from tests.inference.fakes import MOODS, THRESHOLDS, BrightSquares, Ramp, info, moody, picture, recognizer

SIGMOIDS = 1 / (1 + np.exp(-np.linspace(-2, 2, 8)))


def test_every_face_of_a_photograph_largest_first() -> None:
    faces = recognizer().recognize(picture((10, 20, 30), (80, 40, 60)))
    assert [face.face_id for face in faces] == [0, 1]
    np.testing.assert_allclose(faces[0].box, [80, 39.5, 140, 99.5])
    for face in faces:
        np.testing.assert_allclose(face.probabilities, SIGMOIDS, atol=1e-6)
        np.testing.assert_array_equal(face.decisions, SIGMOIDS >= THRESHOLDS)
        assert (face.frame, face.timestamp, face.source, face.confidence) == (0, 0.0, "", 0.9)


def test_probabilities_and_decisions_are_calibrated() -> None:
    calibration = Calibration(temperatures=(2.0,) * 8, biases=tuple(np.linspace(-1, 1, 8)))
    network = TorchNetwork(Ramp(), replace(info(), calibration=calibration), "cpu")
    (face,) = Recognizer(network, detector=BrightSquares()).recognize(picture((10, 20, 30)))
    expected = 1 / (1 + np.exp(-(np.linspace(-2, 2, 8) / 2 + np.linspace(-1, 1, 8))))
    np.testing.assert_allclose(face.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(face.decisions, expected >= THRESHOLDS)


def test_the_largest_face_only() -> None:
    faces = recognizer(RecognizerConfig(faces="largest")).recognize(picture((10, 20, 30), (80, 40, 60)))
    assert [round(float(face.box[0])) for face in faces] == [80]


def test_no_face_is_an_empty_list() -> None:
    assert recognizer().recognize(picture()) == []


def test_photographs_are_read_from_paths(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", picture((10, 20, 30)))
    (face,) = recognizer().recognize(str(tmp_path / "a.png"))
    assert face.source == str(tmp_path / "a.png")
    with pytest.raises(MediaError, match=r"gone\.png: can't open it"):
        recognizer().recognize(tmp_path / "gone.png")


@pytest.mark.parametrize("image", [np.zeros((9, 9, 2), np.uint8), np.zeros((9, 9, 3))])
def test_arrays_of_another_kind_are_refused(image: Shaped[np.ndarray, "..."]) -> None:
    with pytest.raises(ValueError, match=r"found an array of .* with shape .*, expected a path, a uint8 array"):
        recognizer().recognize(image)


def test_flipped_and_sliced_arrays_are_taken() -> None:
    (face,) = recognizer().recognize(picture((10, 20, 30))[:, ::-1])
    assert round(float(face.box[2])) == 190


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A face walks right for 20 frames with a gap in frames 8 and 9; a second one appears in frame 12."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10.0) as writer:
        for number in range(20):
            blocks = [] if number in {8, 9} else [(10 + 3 * number, 40, 50)]
            writer.write(picture(*blocks, *([(150, 10, 40)] if number >= 12 else [])), number / 10)
    return path


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_video_keeps_ids_times_and_order(video: Path, batch_size: int) -> None:
    faces = list(recognizer(RecognizerConfig(batch_size=batch_size)).recognize_video(video))
    first = [face.frame for face in faces if face.face_id == 0]
    assert first == [number for number in range(20) if number not in {8, 9}]
    assert [face.frame for face in faces if face.face_id == 1] == list(range(12, 20))
    assert {face.face_id for face in faces} == {0, 1}
    assert [face.frame for face in faces] == sorted(face.frame for face in faces)
    np.testing.assert_allclose([face.timestamp for face in faces], [face.frame / 10 for face in faces], atol=1e-3)


def test_frames_without_a_face_are_given_too(video: Path) -> None:
    seen = list(recognizer().recognize_file(video))
    assert [frame.frame for frame in seen] == list(range(20))
    assert [frame.frame for frame in seen if not frame.faces] == [8, 9]
    assert all(frame.image.shape == (120, 200, 3) for frame in seen)
    every_fifth = list(recognizer().recognize_file(video, every=5))
    assert [frame.frame for frame in every_fifth] == [0, 5, 10, 15]


def test_frames_that_wait_for_an_id_come_before_a_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes in last while somebody is missing isn't settled yet when the video breaks off."""

    def broken(path: Path, choice: FrameChoice) -> Iterator[Frame]:
        for number in range(12):
            blocks = [(10, 40, 50)] if number < 5 else [(140, 40, 50)] if number > 9 else []
            yield Frame(number, number / 10, picture(*blocks))
        raise MediaError("clip.mp4: breaks off")

    monkeypatch.setattr("facskit.inference.recognizer.frames", broken)
    monkeypatch.setattr("facskit.inference.recognizer.is_video", lambda path: True)
    seen: list[RecognizedFrame] = []
    with pytest.raises(MediaError, match="breaks off"):
        seen.extend(recognizer().recognize_file("clip.mp4"))
    assert [frame.frame for frame in seen] == list(range(12))
    assert len(seen[11].faces) == 1


def test_a_video_is_read_as_it_is_needed(video: Path) -> None:
    network = Ramp()
    stream = Recognizer(TorchNetwork(network, info(), "cpu"), RecognizerConfig(batch_size=2)).recognize_file(video)
    next(stream)
    assert sum(network.batches) <= 2


def test_crops_are_batched() -> None:
    network = Ramp()
    blocks = [(left, 20, 20) for left in range(2, 190, 25)]
    config = RecognizerConfig(batch_size=3, mirror="never")
    fake = Recognizer(TorchNetwork(network, info(), "cpu"), config, detector=BrightSquares())
    assert len(fake.recognize(picture(*blocks))) == 8
    assert network.batches == [3, 3, 2]


def test_a_checkpoint_recognises_a_portrait(tmp_path: Path) -> None:
    torch.manual_seed(0)
    described = info()
    with_size = type(described.model)(image_size=32)
    described = type(described)(**{**vars(described), "model": with_size})
    save_checkpoint(tmp_path / "tiny.safetensors", build_model(described.model, 8), described)
    loaded = Recognizer.from_checkpoint(tmp_path / "tiny.safetensors", device="cpu")
    (face,) = loaded.recognize(portrait("grace_hopper"))
    assert np.abs(face.landmarks - LANDMARKS["grace_hopper"]).max() < 10
    assert face.probabilities.shape == (8,)
    again = Recognizer.from_checkpoint(str(tmp_path / "tiny.safetensors"), device="cpu")
    np.testing.assert_array_equal(again.recognize(portrait("grace_hopper"))[0].probabilities, face.probabilities)


@pytest.mark.parametrize("units", [True, False])
def test_expressions_are_one_softmax_after_the_units(units: bool) -> None:
    (face,) = moody(units=units).recognize(picture((80, 40, 60)))
    logits = np.linspace(-2, 2, 11 if units else 3)
    np.testing.assert_allclose(face.probabilities, 1 / (1 + np.exp(-logits[:-3])), atol=1e-6)
    shares = np.exp(logits[-3:])
    assert face.expression_probabilities is not None
    np.testing.assert_allclose(face.expression_probabilities, shares / shares.sum(), atol=1e-6)
    assert (face.expression, face.expressions) == ("fear", MOODS)
    assert moody(units=units).recognize(picture()) == []


def test_weights_without_expressions_name_none() -> None:
    (face,) = recognizer().recognize(picture((80, 40, 60)))
    assert face.expressions is None
    assert face.expression is None
    assert face.expression_probabilities is None


def test_a_missing_device_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("this computer has a CUDA device")
    with pytest.raises(CheckpointError, match="device 'cuda': this machine has no 'cuda'; it has cpu"):
        Recognizer(TorchNetwork(Ramp(), info(), "cuda"))


def test_another_process_can_have_a_recogniser() -> None:
    original = recognizer()
    copied = pickle.loads(pickle.dumps(original))
    image = picture((10, 20, 30), (80, 40, 60))
    for mine, theirs in zip(original.recognize(image), copied.recognize(image), strict=True):
        np.testing.assert_array_equal(mine.probabilities, theirs.probabilities)
        np.testing.assert_array_equal(mine.box, theirs.box)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.timeout(120)
def test_a_forked_pool_does_not_hang() -> None:
    """In a process of its own: the parent has used its threads when the pool forks."""
    script = """
import multiprocessing
from pathlib import Path
import facskit

photograph = Path(facskit.__file__).parent / "assets" / "photographs" / "eileen_collins.jpg"
recognizer = facskit.Recognizer.from_checkpoint("packaged", device="cpu")

def smile(path):
    return float(recognizer.recognize(path)[0].probability("AU12"))

here = smile(photograph)
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map_async(smile, [photograph, photograph]).get(60)
assert max(abs(value - here) for value in there) < 1e-4, (here, there)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr


class BrightLeft(nn.Module):
    """Is as sure of everything as the left half of the crop is brighter than the right one."""

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        half = images.shape[-1] // 2
        difference = images[..., :half].mean((1, 2, 3)) - images[..., half:].mean((1, 2, 3))
        return difference[:, None].expand(-1, len(DISFA_8))


def test_the_mean_with_the_mirror_image_counts_where_it_is_asked_for(tmp_path: Path) -> None:
    image = picture((40, 60, 60))
    image[:, 70:] //= 2
    video = tmp_path / "clip.mp4"
    with VideoWriter(video, 10.0) as writer:
        writer.write(image, 0.0)
    answers = {}
    for mirror in ("photographs", "always", "never"):
        config = RecognizerConfig(mirror=mirror)
        looking = Recognizer(TorchNetwork(BrightLeft(), info(), "cpu"), config, detector=BrightSquares())
        (photo,), (frame,) = looking.recognize(image), looking.recognize_video(video)
        answers[mirror] = (float(photo.probabilities[0]), float(frame.probabilities[0]))
    # Averaged with its mirror image, no side is brighter.
    assert answers["always"] == pytest.approx((0.5, 0.5), abs=1e-3)
    assert answers["photographs"][0] == pytest.approx(0.5, abs=1e-3)
    assert min(*answers["never"], answers["photographs"][1]) > 0.52


def test_intensities_are_calibrated_with_presence() -> None:
    units, answers = len(info().action_units), Answers(intensities=True, geometry=True)
    calibration = Calibration(temperatures=(0.5,) * units, biases=(-1.0,) * units)
    described = replace(info(), model=CompactConfig(image_size=32), answers=answers)
    torch.manual_seed(1)
    model = build_model(described.model, units, answers).eval()
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    answered = TorchNetwork(model, replace(described, calibration=calibration), "cpu").answer(crops)
    assert answered.intensities is not None
    assert model.intensity_scale is not None
    with torch.no_grad():
        cut_points = model.intensity_scale.cut_points().numpy()
        seen = np.stack([normalize(crop, described.normalization) for crop in crops])
        logits = model(torch.from_numpy(seen)).numpy()
    expected = 1 / (1 + np.exp(-((logits[..., None] - cut_points) * 2 - 1)))
    np.testing.assert_allclose(answered.probabilities, expected[..., 1], atol=1e-5)
    np.testing.assert_allclose(answered.intensities, expected.sum(-1), atol=1e-4)


def test_the_mirror_image_answers_for_all() -> None:
    answers = Answers(intensities=True, geometry=True)
    described = replace(info(), model=CompactConfig(image_size=32), answers=answers)
    model = build_model(described.model, len(described.action_units), answers)
    network = TorchNetwork(model, described, "cpu")
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    plain, turned = network.answer(crops, mirror=True), network.answer(crops[:, :, ::-1], mirror=True)
    assert plain.geometry is not None
    assert turned.geometry is not None
    np.testing.assert_allclose(turned.probabilities, plain.probabilities, atol=1e-6)
    np.testing.assert_allclose(unmirrored(turned.geometry, 32), plain.geometry, atol=1e-4)
