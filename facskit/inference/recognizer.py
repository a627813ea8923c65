"""The recogniser: detects, tracks, crops and normalises faces of pictures and videos, runs the network, decides."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from facskit.errors import MediaError
from facskit.faces.alignment import border_level, detection_matrix
from facskit.faces.appearance import appearance
from facskit.faces.detection import Face, FaceDetector
from facskit.faces.detectors import FOR_PHOTOGRAPHS, FOR_VIDEO, DetectorConfig, build_detector
from facskit.faces.face_following import FaceFollower, FollowingConfig
from facskit.faces.images import read_image, warp
from facskit.faces.media_files import is_video
from facskit.faces.pictures import Picture, name_of, pixels_of
from facskit.faces.quality import QualityLimits, measure_quality
from facskit.faces.tracking import FaceTracker, Track, TrackerConfig
from facskit.faces.video import Frame, FrameChoice, frames
from facskit.files import path_text
from facskit.inference.face_geometry import geometry_in_picture
from facskit.inference.network import AnsweringNetwork, NetworkAnswers
from facskit.inference.open_network import Backend, open_network
from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.lookahead import ahead
from facskit.models.devices import Device
from facskit.models.weight_files import find_weights

__all__ = ["Device", "Recognizer", "RecognizerConfig", "find_weights"]

_FRAMES_AHEAD = 4
"""Frames that are decoded, or searched for faces, in advance."""


@dataclass(frozen=True, kw_only=True)
class RecognizerConfig:
    """How pictures and videos are looked at; what the network needs to see comes from the weight file."""

    faces: Literal["all", "largest"] = "all"
    """Which faces of a picture to recognise."""
    batch_size: int = 16
    """Crops the network sees at once; of a video about one and a half times as many frames are held in memory."""
    photo_detection: DetectorConfig = FOR_PHOTOGRAPHS
    """How faces are looked for in photographs."""
    video_detection: DetectorConfig = FOR_VIDEO
    """How the whole picture of a video is searched for faces: often, so at a lower resolution."""
    following: FollowingConfig = field(default_factory=FollowingConfig)
    """How often that is, while the faces of a video are followed."""
    tracking: TrackerConfig = field(default_factory=TrackerConfig)
    """When two faces of a video are the same."""
    mirror: Literal["photographs", "always", "never"] = "photographs"
    """Where the network also sees each face's mirror image, and the mean of both counts: it takes the network twice the
    time. A mirrored photograph otherwise moves a probability by up to 0.34 (seven photographs)."""
    limits: QualityLimits = field(default_factory=QualityLimits)
    """From when on a face is too small, turned away, blurred, dark or cut off to be relied on."""
    attention: bool = False
    """Return attention maps too, which only some networks have."""

    def __post_init__(self) -> None:
        """Check every limit."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")


class Recognizer:
    """Recognises the action units and expressions of every face in photographs and videos.

    Args:
        network: What answers for the crops of faces; `info` is what its file says about it.
        detector: Finds the faces, in photographs and videos; the one that `config` is for when left out.

    Raises:
        CheckpointError: Attention maps are wanted and the network has none.

    Example:
        ```python
        recognizer = Recognizer.from_checkpoint("packaged")
        for face in recognizer.recognize("portrait.jpg"):
            print(face)
        ```
    """

    def __init__(
        self,
        network: AnsweringNetwork,
        config: RecognizerConfig | None = None,
        *,
        detector: FaceDetector | None = None,
    ) -> None:
        self.network = network
        self.info = network.info
        self.config = config or RecognizerConfig()
        if self.config.attention:
            network.check_attentive()
        self._thresholds = np.array(self.info.thresholds, np.float32)
        self._own_detector = detector
        self._photo_detector = detector or build_detector(self.config.photo_detection)
        self._video_detector = detector or build_detector(self.config.video_detection)

    @classmethod
    def from_checkpoint(
        cls,
        weights: str | Path = "packaged",
        device: str = "auto",
        config: RecognizerConfig | None = None,
        backend: Backend = "auto",
    ) -> "Recognizer":
        """Open weights.

        Args:
            weights: `packaged`, the name of other installed weights, or the path of a weight file or a finished run's
                folder; or of an .onnx file that `facskit export` wrote.
            device: `auto`, `cpu`, `cuda`, `mps`, or one of several such as `cuda:1`.
            backend: What runs the network: PyTorch, onnxruntime or OpenVINO.

        Raises:
            CheckpointError: The weights don't exist, are damaged, can't be run so, or the device isn't there.
        """
        attention = config is not None and config.attention
        return cls(open_network(weights, device, backend, attention=attention), config)

    def __reduce__(self) -> tuple[Callable[..., "Recognizer"], tuple[object, ...]]:
        """Let other processes have it too; they build detectors of their own."""
        return _revive, (self.network, self.config, self._own_detector)

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self.network.device

    def recognize(self, image: Picture) -> list[Recognition]:
        """Recognise the faces of one photograph.

        Args:
            image: Its path, its uint8 RGB pixels, a Pillow image, the bytes of its file, or an open file.

        Returns:
            One recognition per face, largest face first; an empty list when there is none.

        Raises:
            MediaError: The file can't be read as a photograph.
            TypeError: It is nothing that holds a picture.
            ValueError: The array isn't uint8 RGB.
        """
        return list(self.recognize_picture(pixels_of(image), name_of(image)).faces)

    def recognize_video(
        self,
        path: str | Path,
        every: int = 1,
        *,
        fps: float | None = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[Recognition]:
        """Recognise the faces of every n-th frame of a video, in memory that doesn't grow with its length.

        Args:
            fps: Look at no more than so many frames a second.
            start: Seconds before which nothing is looked at.
            end: Seconds at which looking ends.

        Yields:
            One recognition per face and frame, with frame number, timestamp and an id that stays with the face. Frames
            without a face yield nothing; `recognize_file` gives them too.

        Raises:
            MediaError: The file can't be read as a video, or is damaged further on.
            ValueError: No frame can fulfil what is wanted.
        """
        choice = FrameChoice(every=every, per_second=fps, start=start, end=end)
        for frame in self._recognize_frames(Path(path), choice):
            yield from frame.faces

    def recognize_file(
        self,
        path: str | Path,
        every: int = 1,
        *,
        fps: float | None = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[RecognizedFrame]:
        """Recognise a photograph or every n-th frame of a video, told apart by their content; keep the pictures.

        Args:
            fps: Look at no more than so many frames a second.
            start: Seconds before which nothing is looked at.
            end: Seconds at which looking ends.

        Yields:
            One result for a photograph, one per frame for a video, those without faces included.

        Raises:
            MediaError: The file can't be read.
            ValueError: No frame can fulfil what is wanted.
        """
        choice = FrameChoice(every=every, per_second=fps, start=start, end=end)
        path = Path(path)
        if is_video(path):
            yield from self._recognize_frames(path, choice)
        else:
            yield self.recognize_picture(read_image(path), path_text(path))

    def recognize_picture(self, image: UInt8[np.ndarray, "height width 3"], source: str = "") -> RecognizedFrame:
        """Recognise the faces of a photograph that is decoded already, and keep it with them.

        Args:
            source: What to call it in tables.
        """
        faces = self._select(self._photo_detector.detect(image))
        found = self._place(Frame(0, 0.0, image), faces, list(range(len(faces))))
        return self._answer(source, found, self._look(found.crops, mirror=self.config.mirror != "never"))

    def _recognize_frames(self, path: Path, choice: FrameChoice) -> Iterator[RecognizedFrame]:
        """Recognise a video; decoding, following and the network work at the same time, each in a thread."""
        found = ahead(self._follow(ahead(frames(path, choice), _FRAMES_AHEAD)), _FRAMES_AHEAD)
        with closing(ahead(self._recognize_found(path_text(path), found), 1)) as batches:
            for batch in batches:
                yield from batch

    def _follow(self, stream: Generator[Frame]) -> Generator["_Found"]:
        """Find the faces of each frame, say who is who, and cut them out."""
        follower = FaceFollower(self._video_detector, self.config.following)
        tracker = FaceTracker(self.config.tracking)
        waiting: deque[tuple[Frame, list[Face], list[Track]]] = deque()
        broken: MediaError | None = None
        with closing(stream):
            try:
                for frame in stream:
                    faces = follower.find(frame.image, frame.timestamp)
                    looks = [appearance(frame.image, face) for face in faces]
                    # Of all faces, so that one that isn't recognised keeps its id.
                    tracks = tracker.update(faces, frame.timestamp, looks)
                    chosen = self._select(faces)
                    waiting.append((frame, chosen, tracks[: len(chosen)]))
                    yield from self._place_settled(waiting)
            except MediaError as error:
                broken = error
        tracker.settle()
        yield from self._place_settled(waiting)
        if broken is not None:
            raise broken

    def _place_settled(self, waiting: deque[tuple[Frame, list[Face], list[Track]]]) -> Iterator["_Found"]:
        """Cut out the faces of those frames, from the first one on, of which is known whose they are."""
        while waiting:
            frame, faces, tracks = waiting[0]
            ids = [track.face_id for track in tracks if track.face_id is not None]
            if len(ids) < len(tracks):
                return
            waiting.popleft()
            yield self._place(frame, faces, ids)

    def _recognize_found(self, source: str, stream: Generator["_Found"]) -> Generator[list[RecognizedFrame]]:
        """Ask the network about the faces of several frames together: fuller batches."""
        with closing(stream):
            for batch in _batches(stream, -(-self.config.batch_size // 2)):
                crops = [crop for found in batch for crop in found.crops]
                seen = iter(self._look(crops, mirror=self.config.mirror == "always"))
                yield [self._answer(source, found, list(islice(seen, len(found.crops)))) for found in batch]

    def _select(self, faces: list[Face]) -> list[Face]:
        return faces[:1] if self.config.faces == "largest" else faces

    def _place(self, frame: Frame, faces: list[Face], ids: list[int]) -> "_Found":
        """Cut the faces of a picture out, as the network wants to see them."""
        recipe, (height, width) = self.info.crop, frame.image.shape[:2]
        matrices = [detection_matrix(recipe, face, (width, height)) for face in faces]
        cut = [warp(frame.image, matrix, recipe.size, border_level(recipe)) for matrix in matrices]
        return _Found(frame, faces, ids, matrices, cut)

    def _look(
        self, crops: Sequence[UInt8[np.ndarray, "size size 3"]], *, mirror: bool
    ) -> list[tuple[NetworkAnswers, int]]:
        """Return for each face the answers it is among, and its place there.

        Args:
            mirror: Take the mean with the mirror image's; where the network looks is then said of the face as it is.
        """
        seen: list[tuple[NetworkAnswers, int]] = []
        for start in range(0, len(crops), self.config.batch_size):
            batch = np.stack(crops[start : start + self.config.batch_size])
            answers = self.network.answer(batch, mirror=mirror, attention=self.config.attention)
            seen += [(answers, place) for place in range(len(batch))]
        return seen

    def _answer(self, source: str, found: "_Found", seen: Sequence[tuple[NetworkAnswers, int]]) -> RecognizedFrame:
        faces = tuple(self._recognition(source, found, number, *answers) for number, answers in enumerate(seen))
        frame = found.frame
        return RecognizedFrame(
            source=source, frame=frame.index, timestamp=frame.timestamp, image=frame.image, faces=faces
        )

    def _recognition(
        self, source: str, found: "_Found", number: int, answers: NetworkAnswers, place: int
    ) -> Recognition:
        """Put together what is known of one of a picture's faces."""
        frame, face, matrix = found.frame, found.faces[number], found.matrices[number]
        units, expressions = len(self.info.action_units), self.info.expressions
        row = answers.probabilities[place]
        quality = measure_quality(frame.image, face)
        return Recognition(
            source=source,
            frame=frame.index,
            timestamp=frame.timestamp,
            face_id=found.ids[number],
            box=face.box,
            confidence=face.score,
            landmarks=face.landmarks,
            action_units=self.info.action_units,
            probabilities=row[:units],
            decisions=row[:units] >= self._thresholds,
            intensities=None if answers.intensities is None else answers.intensities[place],
            geometry=None if answers.geometry is None else geometry_in_picture(answers.geometry[place], matrix),
            expressions=expressions,
            expression_probabilities=None if expressions is None else row[units:],
            quality=quality,
            unreliable_because=self.config.limits.troubles(quality),
            attention=None if answers.attention is None else answers.attention[place],
            crop_matrix=matrix,
        )


def _revive(network: AnsweringNetwork, config: RecognizerConfig, detector: FaceDetector | None) -> Recognizer:
    return Recognizer(network, config, detector=detector)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The faces of one picture, their ids, the maps from the picture to their crops, and these."""

    frame: Frame
    faces: list[Face]
    ids: list[int]
    matrices: list[Float[np.ndarray, "2 3"]]
    crops: list[UInt8[np.ndarray, "size size 3"]]


def _batches(stream: Iterator[_Found], size: int) -> Iterator[list[_Found]]:
    """Group frames; those before a break in the video still come, then its error."""
    batch: list[_Found] = []
    try:
        for found in stream:
            batch.append(found)
            if len(batch) == size:
                yield batch
                batch = []
    except MediaError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
