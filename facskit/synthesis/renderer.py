"""The renderer: from a shaped head, painted skin and a scene to a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.synthesis.atlas import UVAtlas
from facskit.synthesis.camera import FACE_HEIGHT, View, head_matrix, head_rotation, openface_pose
from facskit.synthesis.eyes import EYE_TEXTURE_DEGREES, find_eyeballs, paint_eyeball
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.lashes import count_layers, lash_coordinates, paint_lashes
from facskit.synthesis.looks import Looks
from facskit.synthesis.scene import Scene
from facskit.synthesis.solids import SolidMesh
from facskit.synthesis.surfaces import Stage, Surface, faces_of

__all__ = ["RenderedFace", "Renderer", "scene_view"]

EYE_TEXELS = 128
"""Height and width of an eye's texture."""
SKIN_PARTS = ("face", "head_neck", "mouth_socket", "eye_socket_left", "eye_socket_right")

MOUTH_PARTS = ("gums_tongue", "gums", "tongue", "teeth")
"""What shows between parted lips; each head has some of them."""


@dataclass(frozen=True, kw_only=True)
class RenderedFace:
    """A picture of one face and where the face is on it."""

    image: UInt8[np.ndarray, "height width 3"]
    """RGB."""
    landmarks: Float32[np.ndarray, "68 2"]
    """Column and row of each of the 68 iBUG landmarks, pixels."""
    pose: Float32[np.ndarray, "3"]
    """Pitch, yaw and roll with OpenFace's signs, radians."""
    gaze: tuple[float, float]
    """Pitch (up) and yaw (to the subject's left) of the eyes in the head, radians."""


class Renderer:
    """Draws one person at a time: `dress` once per person, `render` once per picture."""

    def __init__(self, head: MorphableHead, atlas: UVAtlas, size: int = 256) -> None:
        """Open an off-screen window and lay out the surfaces.

        Args:
            head: The head whose vertices `render` gets.
            atlas: Where the skin lies on its texture.
            size: Height and width of the pictures in pixels.
        """
        self.head = head
        self._stage = Stage(size)
        self._eyeballs = find_eyeballs(head)
        skin = faces_of(head, SKIN_PARTS)
        on_texture = (head.uv_triangles[skin], atlas.texture_coordinates)
        self._skin = Surface(head.triangles[skin], on_texture, closed=True)
        self._eyes = []
        for eyeball in self._eyeballs:
            start, _ = head.parts[eyeball.part]
            triangles = head.triangles[faces_of(head, [eyeball.part])] - start
            self._eyes.append(Surface(triangles, (triangles, eyeball.texture_coordinates), closed=True))
        self._mouth = Surface(head.triangles[faces_of(head, MOUTH_PARTS)], closed=True)
        self._lashes, self._lash_layers = self._lash_surface()
        self._solids: list[Surface] = []
        for surface in (self._skin, *self._eyes, self._mouth, self._lashes):
            self._stage.add(surface)

    def dress(self, looks: Looks, solids: Sequence[SolidMesh]) -> None:
        """Set everything that stays the same on one person.

        Args:
            looks: Colours of eyes, lashes, teeth and mouth, and the skin's gloss.
            solids: Hair and glasses, in the coordinates of the vertices that `render` gets.
        """
        eyeball = paint_eyeball(looks, EYE_TEXELS)
        for eye in self._eyes:
            eye.set_texture((eyeball * _lid_shade(EYE_TEXELS)).astype(np.uint8))
            eye.set_gloss(0.6, 100.0)
            eye.ambient_share = 0.7
        self._mouth.set_colours(self._mouth_colours(looks))
        self._mouth.set_gloss(0.15, 30.0)
        self._mouth.ambient_share = 0.6
        self._lashes.set_texture(paint_lashes(looks, self._lash_layers))
        self._skin.set_gloss(0.4 * looks.skin_specular, 12.0)
        for surface in self._solids:
            self._stage.remove(surface)
        self._solids = [_solid_surface(solid) for solid in solids]
        for surface in self._solids:
            self._stage.add(surface)

    def render(
        self,
        vertices: Float32[np.ndarray, "points 3"],
        texture: UInt8[np.ndarray, "texels texels 3"],
        scene: Scene,
        background: UInt8[np.ndarray, "height width 3"],
    ) -> RenderedFace:
        """Draw the dressed person.

        Args:
            vertices: The head with identity and expression, centimetres.
            scene: Lights, camera, pose and gaze.
            background: What shows beside the head, RGB.

        Returns:
            The picture, before any degradation by the camera.
        """
        gaze_pitch, gaze_yaw = np.degrees(scene.gaze)
        for eyeball, surface in zip(self._eyeballs, self._eyes, strict=True):
            start, stop = self.head.parts[eyeball.part]
            surface.set_vertices(eyeball.turned(vertices[start:stop], gaze_yaw, gaze_pitch))
        for surface in (self._skin, self._mouth, self._lashes):
            surface.set_vertices(vertices)
        self._skin.set_texture(texture)
        view = scene_view(scene, self._stage.size)
        self._stage.arrange(view, scene.lights, scene.ambient)
        colours, cover = self._stage.photograph()
        pitch, yaw, roll = np.degrees(scene.pose)
        return RenderedFace(
            image=np.clip(colours + background * (1 - cover) + 0.5, 0, 255).astype(np.uint8),
            landmarks=view.project(vertices[self.head.landmarks68]),
            pose=openface_pose(yaw, pitch, roll),
            gaze=scene.gaze,
        )

    def close(self) -> None:
        """Give the window's memory back."""
        self._stage.close()

    def _lash_surface(self) -> tuple[Surface, int]:
        """Lay out the strips of lashes of both eyes, through which one sees, and count those over each other."""
        faces = faces_of(self.head, ["eyelash_left", "eyelash_right"])
        coordinates = np.zeros((len(self.head.vertices), 2), dtype=np.float32)
        for eyeball in self._eyeballs:
            part = eyeball.part.replace("sclera", "eyelash")
            eye = self.head.vertices[slice(*self.head.parts[eyeball.part])].mean(0) + eyeball.centre_offset
            lashes = slice(*self.head.parts[part])
            triangles = self.head.triangles[faces_of(self.head, [part])] - lashes.start
            coordinates[lashes] = lash_coordinates(self.head.vertices[lashes], triangles, eye)
        surface = Surface(self.head.triangles[faces], (self.head.triangles[faces], coordinates))
        surface.actor.ForceTranslucentOn()
        return surface, count_layers(triangles)

    def _mouth_colours(self, looks: Looks) -> UInt8[np.ndarray, "points 3"]:
        """Colour teeth and gums, darker towards the throat where no light reaches."""
        colours = np.empty((len(self.head.vertices), 3), dtype=np.float32)
        colours[:] = looks.mouth_rgb
        colours[slice(*self.head.parts["teeth"])] = looks.teeth_rgb
        lit = np.clip((self.head.vertices[:, 2:] - 7.9) / 2.4, 0, 1)
        return (255 * colours * (0.1 + 0.77 * lit)).astype(np.uint8)


def _lid_shade(size: int) -> Float32[np.ndarray, "size 1 1"]:
    """Return the shade that the upper lid casts on an eye's texture, by its height."""
    elevation = np.linspace(1, -1, size) * EYE_TEXTURE_DEGREES
    return np.clip(1 - 0.016 * (elevation - 4), 0.5, 1).astype(np.float32)[:, None, None]


def scene_view(scene: Scene, size: int) -> View:
    """Return the camera of a scene.

    Args:
        scene: Field of view, fill, offset and pose.
        size: Height and width of the picture in pixels.
    """
    frame = FACE_HEIGHT / scene.fill
    pitch, yaw, roll = np.degrees(scene.pose)
    shift = np.array([scene.offset[0], -scene.offset[1]]) * frame
    return View(
        matrix=head_matrix(head_rotation(yaw, pitch, roll), shift),
        distance=frame / 2 / np.tan(np.radians(scene.fov_degrees) / 2),
        degrees=scene.fov_degrees,
        size=size,
    )


def _solid_surface(solid: SolidMesh) -> Surface:
    if solid.strands is not None and solid.strands_uv is not None:
        cards = Surface(solid.triangles, (solid.triangles, solid.strands_uv))
        cards.set_vertices(solid.vertices)
        cards.set_texture(solid.strands)
        cards.cut_out()
        cards.set_gloss(solid.specular, 20.0)
        return cards
    surface = Surface(solid.triangles)
    surface.set_vertices(solid.vertices)
    opacity = np.full((len(solid.vertices), 1), 255 * solid.opacity)
    surface.set_colours(np.concatenate([solid.colours, opacity], axis=1).astype(np.uint8))
    surface.set_gloss(solid.specular, 20.0)
    return surface
