"""The photo studio: invents people, lets them make faces, and takes their pictures, each repeatable from its seed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Float32

from facskit.action_units import RENDERED
from facskit.synthesis.atlas import UVAtlas
from facskit.synthesis.backgrounds import background
from facskit.synthesis.casting import sample_looks
from facskit.synthesis.degradation import degrade
from facskit.synthesis.drawn_details import choose_details
from facskit.synthesis.environments import environments
from facskit.synthesis.expressions import Animator, FacialAction
from facskit.synthesis.glasses import build_glasses
from facskit.synthesis.hair import build_hair
from facskit.synthesis.hair_cards import choose_cards
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.looks import Brows, Lips, Looks
from facskit.synthesis.people import draw_identity
from facskit.synthesis.renderer import RenderedFace, Renderer
from facskit.synthesis.rest import RestingFace, draw_rest
from facskit.synthesis.sampling import ExpressionSampler, Profile, SampledAction
from facskit.synthesis.scene import Scene, sample_scene
from facskit.synthesis.skin import SkinPainter
from facskit.synthesis.skin_textures import SkinPhotograph, choose_skin, find_skins
from facskit.synthesis.tension import Folds, SkinTension, unit_intensities

__all__ = ["Person", "Studio", "in_place", "in_room", "invent_person", "noise_stream", "room_stream", "stream"]


class _Stream(IntEnum):
    """Independent sources of chance of one person or picture."""

    LOOKS = 0
    HABITS = 1
    ACTION = 2
    SCENE = 3
    NOISE = 4
    ROOM = 5
    PLACE = 6
    SKIN = 7
    REST = 8
    HAIR = 9
    DETAILS = 10


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone who doesn't exist."""

    looks: Looks
    identity: Float[np.ndarray, " modes"]
    """Coefficient of each identity mode of the head."""
    male: float
    """0 for a woman's head to 1 for a man's; 0.5 where the head's modes don't say."""
    rest: RestingFace
    """What their face does when it does nothing."""
    sampler: ExpressionSampler
    """The person's habits of expression."""

    def nuisance(self) -> dict[str, float]:
        """Return everything about the person that must have nothing to do with the labels, as numbers by name."""
        numbers = _numbers_of(self.looks)
        for name, part in (("brows", self.looks.brows), ("lips", self.looks.lips)):
            numbers |= {f"{name}_{key}": value for key, value in _numbers_of(part).items()}
        numbers |= {f"rest_{key}": value for key, value in self.rest.nuisance().items()}
        has = {
            "glasses": self.looks.glasses is not None,
            "photographed_skin": self.looks.skin_photograph != "",
            "hair_cards": self.looks.hair.cards != "",
        }
        return numbers | {name: float(value) for name, value in has.items()} | {"male": self.male}


def _numbers_of(part: Looks | Brows | Lips) -> dict[str, float]:
    values = {each.name: getattr(part, each.name) for each in fields(part) if each.name != "seed"}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def stream(seed: int, subject: int, kind: int, frame: int = 0) -> np.random.Generator:
    """Return the source of chance for one purpose, whatever else is drawn in whatever order.

    Args:
        seed: Seed of the corpus.
    """
    return np.random.default_rng([seed, subject, kind, frame])


def invent_person(
    seed: int, subject: int, profile: Profile, head: MorphableHead, skins: Sequence[SkinPhotograph] | None = None
) -> Person:
    """Invent a person.

    Args:
        seed: Seed of the corpus.
        profile: Which frequencies of expression to follow.
        head: The head that the person gets a variant of.
        skins: Photographs that their skin may have; the packaged ones by default.
    """
    rng = stream(seed, subject, _Stream.LOOKS)
    looks = choose_details(sample_looks(rng), stream(seed, subject, _Stream.DETAILS))
    identity = draw_identity(head, looks, rng)
    known = find_skins() if skins is None else skins
    cards = choose_cards(looks, stream(seed, subject, _Stream.HAIR))
    skin = choose_skin(looks, identity.male, known, stream(seed, subject, _Stream.SKIN))
    return Person(
        looks=replace(looks, skin_photograph=skin, hair=replace(looks.hair, cards=cards)),
        identity=identity.coefficients,
        male=identity.male,
        rest=draw_rest(stream(seed, subject, _Stream.REST)),
        sampler=ExpressionSampler(profile, stream(seed, subject, _Stream.HABITS)),
    )


def sample_picture(person: Person, seed: int, subject: int, frame: int) -> tuple[SampledAction, Scene]:
    """Draw what a picture shows and, from another source of chance, how it is taken.

    Args:
        seed: Seed of the corpus.
    """
    action = person.sampler.sample(stream(seed, subject, _Stream.ACTION, frame))
    return action, sample_scene(stream(seed, subject, _Stream.SCENE, frame))


class Studio:
    """Renders people: `seat` one, then `photograph` as often as wanted."""

    def __init__(
        self,
        head: MorphableHead,
        size: int = 256,
        skins: Sequence[SkinPhotograph] | None = None,
        folds: Folds = "tension",
    ) -> None:
        """Set up head, texture and renderer.

        Args:
            size: Height and width of the pictures in pixels.
            skins: Photographs that people's skin may have; the packaged ones by default.
            folds: What folds the skin.
        """
        self.size = size
        self.skins = tuple(find_skins() if skins is None else skins)
        self._animator = Animator(head)
        self.head = self._animator.head
        self._atlas = UVAtlas.from_head(head)
        self._tension = SkinTension(self._animator) if folds == "tension" else None
        self._renderer = Renderer(self.head, self._atlas, size)
        self._neutral: Float32[np.ndarray, "points 3"] = head.vertices
        self._rest: Float32[np.ndarray, "points 3"] = head.vertices
        self._lip_parting = 0.0
        self._painter: SkinPainter | None = None

    def seat(self, person: Person) -> None:
        """Prepare a person: face shape at rest, skin, hair and glasses."""
        looks = person.looks
        self._neutral = self._animator.at_rest(self.head.neutral(person.identity), person.rest)
        self._lip_parting = person.rest.lip_parting
        still = np.zeros(len(RENDERED))
        at_rest = FacialAction(left=still, right=still, lip_parting=self._lip_parting)
        self._rest = self._animator.animate(self._neutral, at_rest)
        photographs = [skin for skin in self.skins if skin.name == looks.skin_photograph]
        self._painter = SkinPainter(looks, self._atlas, photographs[0].detail() if photographs else None)
        landmarks = self.head.landmarks68
        hair = build_hair(looks, self._neutral, landmarks)
        self._renderer.dress(looks, [*hair, *build_glasses(looks, self._neutral, landmarks)])

    def photograph(
        self, action: FacialAction, scene: Scene, rng: np.random.Generator, room: np.random.Generator | None = None
    ) -> RenderedFace:
        """Take a picture of the seated person.

        Args:
            scene: How the picture is taken.
            room: Draws the background instead, the same one from the same state.

        Returns:
            The picture with the camera's flaws.

        Raises:
            ValueError: Nobody is seated.
        """
        if self._painter is None:
            raise ValueError("nobody is seated: call seat() before photograph()")
        action, scene = _rest_closed_eyes(action, scene)
        action = replace(action, lip_parting=self._lip_parting)
        vertices = self._animator.animate(self._neutral, action)
        texture = self._painter.paint(self._folds(vertices, action))
        behind = background(scene, self.size, rng if room is None else room)
        face = self._renderer.render(vertices, texture, scene, behind)
        return replace(face, image=degrade(face.image, scene, rng))

    def shoot(
        self,
        sampled: SampledAction,
        scene: Scene,
        rng: np.random.Generator,
        room: np.random.Generator | None = None,
    ) -> RenderedFace:
        """Take a picture of the seated person with sampled labels; the scene says where the eyes look.

        Args:
            scene: How the picture is taken.
            room: Draws the background instead; see `photograph`.
        """
        action = FacialAction(left=sampled.left, right=sampled.right, gaze=scene.gaze, lid_lowering=scene.lid_lowering)
        return self.photograph(action, scene, rng, room)

    def _folds(self, vertices: Float32[np.ndarray, "points 3"], action: FacialAction) -> dict[str, float]:
        """Return how deep the skin folds, by unit and side."""
        if self._tension is None:
            return unit_intensities(action)
        return self._tension.creases(self._rest, vertices, action)

    def close(self) -> None:
        """Give the renderer's memory back."""
        self._renderer.close()


def noise_stream(seed: int, subject: int, frame: int) -> np.random.Generator:
    """Return the source of chance for a picture's background and noise."""
    return stream(seed, subject, _Stream.NOISE, frame)


def room_stream(seed: int, subject: int) -> np.random.Generator:
    """Return the source of chance for the details of the room that a person is filmed in, always in the same state."""
    return stream(seed, subject, _Stream.ROOM)


def in_room(scene: Scene, seed: int, subject: int) -> Scene:
    """Move a picture into the room where all pictures of a person are taken.

    Args:
        scene: How the picture would be taken elsewhere.
        seed: Seed of the corpus.

    Returns:
        The scene with the background of that room.
    """
    return replace(scene, background=sample_scene(stream(seed, subject, _Stream.ROOM, 1)).background)


def in_place(scene: Scene, seed: int, subject: int, frame: int, share: float = 1.0) -> Scene:
    """Light a picture by a real place, seen in any direction.

    Args:
        scene: How the picture would be lit in the studio.
        seed: Seed of the corpus.
        share: How many pictures; the others stay as they are.
    """
    rng = stream(seed, subject, _Stream.PLACE, frame)
    if share < 1 and rng.random() >= share:
        return scene
    place = environments()[rng.integers(len(environments()))].turned(rng.uniform(0, 2 * np.pi))
    lights, ambient = place.lamps(brightness=rng.uniform(0.75, 1.15))
    return replace(scene, lights=lights, ambient=ambient)


def _rest_closed_eyes(action: FacialAction, scene: Scene) -> tuple[FacialAction, Scene]:
    """Let eyes look ahead as far as they are closed: a turned cornea would bulge through the lid."""
    closed = RENDERED.index(43)
    open_share = 1.0 - float(max(action.left[closed], action.right[closed]))
    return (
        replace(action, gaze=(action.gaze[0] * open_share, action.gaze[1] * open_share)),
        replace(scene, gaze=(scene.gaze[0] * open_share, scene.gaze[1] * open_share)),
    )
