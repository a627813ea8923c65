"""The stage on which faces are drawn: an off-screen window, surfaces and lights of VTK.

This is the only module that knows VTK, which comes with the extra `synthesis`.
"""

import os
from collections.abc import Iterable
from typing import Any

os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software renderer: one thread, as corpora render in processes

import numpy as np
import scipy.sparse
from jaxtyping import Float32, Int, UInt8

from facskit.errors import FacskitError
from facskit.faces.drawing import resize
from facskit.synthesis.camera import View
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.scene import Light

try:
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (registers the off-screen window)
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkLogger, vtkPoints, vtkUnsignedCharArray
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkRenderingCore import (
        vtkActor,
        vtkLight,
        vtkPolyDataMapper,
        vtkRenderer,
        vtkRenderWindow,
        vtkTexture,
    )
except ImportError as error:
    raise FacskitError(
        "rendering faces needs VTK, which is not installed; run: pip install 'facskit[synthesis]', "
        "or in a clone: make synthesis"
    ) from error

__all__ = ["NormalSmoother", "Stage", "Surface"]

_ARRAYS: Any = numpy_support

OVERSAMPLING = 2
"""Pixels that are drawn, across and down, for each one of a picture: smooth edges, and skin finer than the picture's
pixels. Mesa's software renderer draws four such pixels in less than half of the time of four samples of one."""


class Surface:
    """A triangle mesh whose vertices, texture and colours can be exchanged between pictures.

    Attributes:
        ambient_share: How much of the light from everywhere reaches it, 0 to 1; less in the mouth and behind lids.
    """

    def __init__(
        self,
        triangles: Int[np.ndarray, "faces 3"],
        corners: tuple[Int[np.ndarray, "faces 3"], Float32[np.ndarray, "corners 2"]] | None = None,
        *,
        closed: bool = False,
    ) -> None:
        """Lay out the mesh.

        Args:
            triangles: Vertex indices of each triangle, into the vertices that `set_vertices` gets.
            corners: For a textured surface: rows of the texture coordinates for each triangle, and the coordinates. A
                vertex with several texture coordinates becomes several points.
            closed: Nobody sees its inside, which then costs no time.
        """
        pairs = np.stack([triangles, triangles if corners is None else corners[0]], axis=-1).reshape(-1, 2)
        points, faces = np.unique(pairs, axis=0, return_inverse=True)
        self._rows = points[:, 0]
        self._used, compact = np.unique(triangles, return_inverse=True)
        self._smoother = NormalSmoother(compact.reshape(triangles.shape), len(self._used))
        self._spread = np.searchsorted(self._used, self._rows)
        self._positions = np.zeros((len(points), 3), dtype=np.float32)
        self._normals = np.zeros((len(points), 3), dtype=np.float32)
        self._poly = vtkPolyData()
        self._point_array = _ARRAYS.numpy_to_vtk(self._positions)
        self._normal_array = _ARRAYS.numpy_to_vtk(self._normals)
        self._points = vtkPoints()
        self._points.SetData(self._point_array)
        self._poly.SetPoints(self._points)
        self._poly.GetPointData().SetNormals(self._normal_array)
        cells = vtkCellArray()
        cells.SetData(3, _ARRAYS.numpy_to_vtkIdTypeArray(faces.reshape(-1).astype(np.int64), deep=True))
        self._poly.SetPolys(cells)
        if corners is not None:
            self._poly.GetPointData().SetTCoords(_ARRAYS.numpy_to_vtk(corners[1][points[:, 1]], deep=True))
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self._poly)
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetInterpolationToPhong()
        self.actor.GetProperty().SetBackfaceCulling(closed)
        self.ambient_share = 1.0
        self._texels: UInt8[np.ndarray, "texels channels"] | None = None

    def set_vertices(self, vertices: Float32[np.ndarray, "points 3"]) -> None:
        """Move the mesh and recompute its normals.

        Args:
            vertices: Positions in centimetres; the mesh takes those that its triangles name.
        """
        used = vertices[self._used]
        self._positions[:] = used[self._spread]
        self._normals[:] = self._smoother.normals(used)[self._spread]
        self._point_array.Modified()
        self._points.Modified()
        self._normal_array.Modified()

    def set_colours(self, colours: UInt8[np.ndarray, "points channels"]) -> None:
        """Colour each vertex.

        Args:
            colours: RGB or RGBA of every vertex that `set_vertices` gets.
        """
        self._poly.GetPointData().SetScalars(_ARRAYS.numpy_to_vtk(np.ascontiguousarray(colours[self._rows]), deep=True))

    def set_texture(self, texture: UInt8[np.ndarray, "height width channels"]) -> None:
        """Wrap a picture around the mesh.

        Args:
            texture: RGB, or RGBA for `cut_out`; row 0 is at texture coordinate v = 1.
        """
        flipped = np.ascontiguousarray(texture[::-1]).reshape(-1, texture.shape[2])
        if self._texels is None or len(self._texels) != len(flipped):
            self._texels = flipped
            self._texel_array = _ARRAYS.numpy_to_vtk(self._texels)
            self._picture = vtkImageData()
            self._picture.SetDimensions(texture.shape[1], texture.shape[0], 1)
            self._picture.GetPointData().SetScalars(self._texel_array)
            wrapped = vtkTexture()
            wrapped.SetInputData(self._picture)
            wrapped.InterpolateOn()
            self.actor.SetTexture(wrapped)
        self._texels[:] = flipped
        self._texel_array.Modified()
        self._picture.Modified()

    def cut_out(self) -> None:
        """Leave holes where the texture is less than half solid: cheaper than blending, and right from every side."""
        self.actor.ForceOpaqueOn()
        self.actor.GetShaderProperty().AddFragmentShaderReplacement(
            "//VTK::Picking::Impl", True, "//VTK::Picking::Impl\n  if (fragOutput0.a < 0.5) discard;\n", False
        )

    def set_gloss(self, strength: float, power: float) -> None:
        """Set the mirror-like reflection.

        Args:
            strength: 0 for matt to 1.
        """
        self.actor.GetProperty().SetSpecular(strength)
        self.actor.GetProperty().SetSpecularPower(power)


class Stage:
    """An off-screen window with a camera, lights and surfaces."""

    def __init__(self, size: int) -> None:
        """Open the window.

        Args:
            size: Height and width of the pictures in pixels.
        """
        # Without a display VTK warns about it and goes on with an off-screen driver, which is what we want.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
        self.size = size
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetAlphaBitPlanes(1)
        self._drawn = OVERSAMPLING * size
        self._window.SetSize(self._drawn, self._drawn)
        self._renderer = vtkRenderer()
        self._renderer.AutomaticLightCreationOff()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0)
        self._window.AddRenderer(self._renderer)
        self._surfaces: list[Surface] = []
        self._pixels = vtkUnsignedCharArray()

    def add(self, surface: Surface) -> None:
        """Put a surface on the stage."""
        self._renderer.AddActor(surface.actor)
        self._surfaces.append(surface)

    def remove(self, surface: Surface) -> None:
        """Take a surface off the stage."""
        self._renderer.RemoveActor(surface.actor)
        self._surfaces.remove(surface)

    def arrange(self, view: View, lights: Iterable[Light], ambient: float) -> None:
        """Set camera and lights, and place the surfaces in front of the camera.

        Args:
            view: The camera and the head's place.
            ambient: Light from everywhere, 0 to 1.
        """
        matrix = vtkMatrix4x4()
        matrix.DeepCopy(view.matrix.ravel().tolist())
        for surface in self._surfaces:
            surface.actor.SetUserMatrix(matrix)
            surface.actor.GetProperty().SetAmbient(ambient * surface.ambient_share)
        self._renderer.RemoveAllLights()
        for light in lights:
            self._renderer.AddLight(_light(light))
        camera = self._renderer.GetActiveCamera()
        camera.SetPosition(0, 0, view.distance)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewAngle(view.degrees)
        camera.SetClippingRange(max(1.0, view.distance - 40), view.distance + 40)

    def photograph(self) -> tuple[Float32[np.ndarray, "height width 3"], Float32[np.ndarray, "height width 1"]]:
        """Return colours 0 to 255, already multiplied by how much of each pixel is covered, and that cover 0 to 1."""
        self._window.Render()
        self._window.GetRGBACharPixelData(0, 0, self._drawn - 1, self._drawn - 1, 0, self._pixels, 0)
        drawn = _ARRAYS.vtk_to_numpy(self._pixels).reshape(self._drawn, self._drawn, 4)
        pixels = resize(drawn, (self.size, self.size))[::-1].astype(np.float32)
        return pixels[..., :3], pixels[..., 3:] / 255

    def close(self) -> None:
        """Give the window's memory back."""
        self._window.Finalize()


def faces_of(head: MorphableHead, parts: Iterable[str]) -> Int[np.ndarray, " faces"]:
    """Return the rows of the triangles that lie within the named parts of a head.

    Args:
        parts: Names of its parts; those it lacks are skipped.
    """
    inside = np.zeros(len(head.vertices), dtype=bool)
    for part in parts:
        if part in head.parts:
            inside[slice(*head.parts[part])] = True
    return np.flatnonzero(inside[head.triangles].all(1))


class NormalSmoother:
    """Computes the normals of a mesh again and again, while its vertices move."""

    def __init__(self, triangles: Int[np.ndarray, "faces 3"], points: int) -> None:
        """Remember which triangles meet at each vertex.

        Args:
            triangles: Vertex indices of each triangle, counterclockwise seen from outside.
            points: Number of vertices.
        """
        self._first, self._second, self._third = np.ascontiguousarray(triangles.T)
        faces = np.repeat(np.arange(len(triangles)), 3)
        ones = np.ones(triangles.size, dtype=np.float32)
        self._meeting = scipy.sparse.csr_array((ones, (triangles.ravel(), faces)), shape=(points, len(triangles)))

    def normals(self, vertices: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 3"]:
        """Return the unit normal of each vertex: the mean over its triangles, weighted by their area."""
        first = vertices[self._first]
        x, y, z = (vertices[self._second] - first).T
        u, v, w = (vertices[self._third] - first).T
        # By hand: numpy's cross product takes three times as long.
        faces = np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)
        summed = self._meeting @ faces
        lengths = np.sqrt(np.einsum("pc,pc->p", summed, summed))
        normals: Float32[np.ndarray, "points 3"] = summed / np.maximum(lengths, 1e-12)[:, None]
        return normals


def _light(light: Light) -> vtkLight:
    lamp = vtkLight()
    lamp.SetLightTypeToSceneLight()
    lamp.PositionalOff()
    lamp.SetPosition(*light.direction)
    lamp.SetFocalPoint(0, 0, 0)
    lamp.SetColor(*light.colour)
    lamp.SetIntensity(light.intensity)
    return lamp
