"""Lines in which skin folds when a facial muscle pulls, drawn on the subject's right half of the face texture.

Positions are (column, row) on a 512 x 512 texture of the ICT layout; the middle of the face is column 255.5 and the
left half is the mirror image. A groove's ridge lies on the side that `ridge` points to, in texels.
"""

from dataclasses import dataclass

__all__ = ["BULGES", "GROOVES", "Bulge", "Groove"]

Point = tuple[float | int, float | int]


@dataclass(frozen=True, kw_only=True)
class Groove:
    """A fold: a dark line beside a lighter ridge."""

    action: int
    """Number of the action unit."""
    points: tuple[Point, ...]
    depth: float = 1.0
    """Darkness of the line relative to a nasolabial fold."""
    sigma: float = 1.6
    """Half width of the line in texels."""
    ridge: Point = (0.0, -4.0)
    """Offset of the light side in texels."""
    optional: float = 0.0
    """Probability that a person lacks this line."""


@dataclass(frozen=True, kw_only=True)
class Bulge:
    """A round patch that catches light (positive) or lies in shadow (negative)."""

    action: int
    centre: Point
    radii: Point
    strength: float


GROOVES: tuple[Groove, ...] = (
    # AU01: wavy lines across the middle of the forehead
    Groove(action=1, points=((196, 79), (222, 71), (242, 73), (256, 72)), sigma=2.0),
    Groove(action=1, points=((192, 63), (220, 55), (242, 58), (256, 57)), sigma=2.0),
    Groove(action=1, points=((198, 46), (224, 40), (242, 43), (256, 42)), depth=0.8, sigma=2.0, optional=0.3),
    Groove(action=1, points=((204, 32), (228, 28), (244, 30), (256, 29)), depth=0.6, sigma=2.0, optional=0.5),
    Groove(action=1, points=((222, 84), (240, 80), (256, 82)), depth=0.6, sigma=1.6, optional=0.5),
    # AU02: arches over the outer brow
    Groove(action=2, points=((118, 88), (140, 74), (168, 70), (200, 76)), sigma=2.0),
    Groove(action=2, points=((116, 70), (142, 57), (172, 53), (206, 60)), sigma=2.0),
    Groove(action=2, points=((122, 53), (148, 42), (176, 38), (206, 44)), depth=0.8, sigma=2.0, optional=0.3),
    Groove(action=2, points=((134, 40), (156, 30), (182, 27), (208, 31)), depth=0.6, sigma=2.0, optional=0.5),
    # AU04: upright lines between the brows, a short one across the root of the nose
    Groove(action=4, points=((239, 80), (243, 95), (243, 112), (240, 124)), depth=1.4, sigma=1.9, ridge=(5.0, 0.0)),
    Groove(action=4, points=((228, 84), (233, 94), (235, 106)), depth=0.8, ridge=(-4.5, 0.0), optional=0.4),
    Groove(action=4, points=((252, 86), (252, 98), (251, 108)), depth=0.6, ridge=(-4.0, 0.0), optional=0.6),
    Groove(action=4, points=((240, 136), (250, 133), (256, 133)), depth=0.5, optional=0.4),
    Groove(action=4, points=((170, 108), (196, 111), (220, 113), (236, 116)), depth=0.7, sigma=2.6, ridge=(0.0, -7.0)),
    # AU05 only smooths the lid's fold, see BULGES
    # AU06: crow's feet, the furrow under the eye
    Groove(action=6, points=((150, 138), (136, 130), (120, 120)), depth=0.9, ridge=(1.0, 3.5)),
    Groove(action=6, points=((149, 144), (134, 142), (114, 138)), depth=1.0, ridge=(0.0, 3.5)),
    Groove(action=6, points=((150, 150), (135, 154), (116, 158)), depth=0.9, ridge=(0.0, 3.5)),
    Groove(action=6, points=((152, 155), (139, 165), (124, 176)), depth=0.7, ridge=(-1.0, 3.5), optional=0.4),
    Groove(action=6, points=((208, 160), (192, 169), (172, 171), (150, 164)), depth=1.0, sigma=2.2, ridge=(0.0, 6.0)),
    # AU07: tight furrow close under the lower lid
    Groove(action=7, points=((204, 153), (190, 157), (172, 157), (156, 151)), depth=1.2, sigma=1.5, ridge=(0.0, -4.0)),
    Groove(action=7, points=((158, 148), (150, 149), (143, 151)), depth=0.6, sigma=1.3, ridge=(0.0, 3.0), optional=0.4),
    # AU09: wrinkles across the root of the nose and down its sides
    Groove(action=9, points=((236, 130), (247, 127), (256, 128)), depth=0.9, sigma=1.8),
    Groove(action=9, points=((235, 140), (247, 137), (256, 138)), depth=1.1, sigma=1.8),
    Groove(action=9, points=((236, 150), (248, 147), (256, 148)), depth=0.9, sigma=1.7, optional=0.3),
    Groove(action=9, points=((243, 158), (233, 162), (222, 172)), depth=1.1, ridge=(2.0, 4.0)),
    Groove(action=9, points=((242, 168), (231, 174), (218, 186)), depth=1.0, ridge=(2.0, 4.0)),
    Groove(action=9, points=((240, 179), (229, 186), (218, 197)), depth=0.7, ridge=(2.0, 4.0), optional=0.4),
    Groove(action=9, points=((212, 196), (203, 208), (199, 224), (196, 238)), depth=1.2, sigma=2.2, ridge=(-5.0, 0.0)),
    # AU10: upper part of the nasolabial fold, around the wing
    Groove(
        action=10, points=((216, 198), (203, 210), (194, 228), (184, 248)), depth=1.3, sigma=2.3, ridge=(-6.0, -1.0)
    ),
    Groove(action=10, points=((206, 172), (190, 182), (170, 192)), depth=0.6, sigma=2.2, ridge=(0.0, 6.0)),
    # AU12: the whole nasolabial fold, swept outwards
    Groove(
        action=12,
        points=((208, 210), (194, 226), (180, 248), (171, 272), (171, 294)),
        depth=1.3,
        sigma=2.3,
        ridge=(-6.0, -1.0),
    ),
    Groove(action=12, points=((188, 276), (184, 287), (187, 298)), depth=0.8, sigma=1.8, ridge=(-4.0, 0.0)),
    Groove(
        action=12, points=((160, 262), (154, 282), (158, 304)), depth=0.5, sigma=2.0, ridge=(-5.0, 0.0), optional=0.6
    ),
    # AU14: dimple beside the corner
    Groove(action=14, points=((188, 272), (182, 285), (187, 300)), depth=1.6, sigma=2.0, ridge=(-6.0, 0.0)),
    Groove(action=14, points=((197, 284), (190, 286), (184, 286)), depth=1.0, sigma=1.8, ridge=(0.0, 4.0)),
    # AU15: marionette line and the pouch beside it
    Groove(action=15, points=((199, 287), (192, 297), (187, 310), (187, 324)), depth=1.4, sigma=2.0, ridge=(5.0, 1.0)),
    Groove(action=15, points=((205, 296), (210, 306), (220, 312)), depth=0.7, sigma=1.8, ridge=(0.0, 4.0)),
    # AU17: crease over the chin, pebbles see creases.py
    Groove(action=17, points=((216, 350), (232, 338), (246, 334), (256, 333)), depth=1.3, sigma=2.2, ridge=(0.0, 6.0)),
    Groove(action=17, points=((203, 292), (205, 304), (212, 316)), depth=0.5, sigma=1.8, ridge=(-4.0, 0.0)),
    # AU20: lines pulled sideways from the corner
    Groove(action=20, points=((194, 282), (178, 281), (160, 284)), depth=0.7, sigma=1.7),
    Groove(action=20, points=((196, 292), (180, 297), (164, 301)), depth=0.8, sigma=1.7),
    Groove(action=20, points=((172, 258), (164, 278), (165, 302), (172, 322)), depth=0.9, sigma=2.1, ridge=(-5.0, 0.0)),
    # AU23: thin upright lines on the lips
    Groove(action=23, points=((214, 264), (215, 273)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((227, 256), (228, 267)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((241, 252), (241, 265)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((219, 308), (221, 317)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((235, 312), (236, 323)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((249, 313), (249, 325)), depth=0.8, sigma=1.1, ridge=(2.5, 0.0)),
    Groove(action=23, points=((197, 286), (190, 288), (186, 294)), depth=0.7, sigma=1.7, ridge=(0.0, 4.0)),
    # AU24: pressed lips: a line above and below, short folds at the corner
    Groove(action=24, points=((204, 272), (222, 254), (241, 245), (256, 246)), depth=0.9, sigma=2.0, ridge=(0.0, -5.0)),
    Groove(action=24, points=((208, 318), (228, 331), (246, 334), (256, 334)), depth=1.0, sigma=2.2, ridge=(0.0, 5.0)),
    Groove(action=24, points=((199, 276), (193, 285), (198, 296)), depth=1.1, sigma=1.8, ridge=(-4.0, 0.0)),
    # AU28: the skin drawn over the teeth
    Groove(action=28, points=((206, 268), (224, 254), (242, 249), (256, 250)), depth=0.5, sigma=2.0, ridge=(0.0, 5.0)),
    Groove(action=28, points=((210, 326), (232, 340), (246, 343), (256, 343)), depth=0.9, sigma=2.2, ridge=(0.0, -5.0)),
)

BULGES: tuple[Bulge, ...] = (
    Bulge(action=1, centre=(232, 90), radii=(16, 9), strength=0.35),
    Bulge(action=2, centre=(152, 84), radii=(26, 8), strength=0.3),
    Bulge(action=2, centre=(150, 116), radii=(22, 9), strength=0.25),
    Bulge(action=4, centre=(226, 112), radii=(18, 9), strength=-0.55),
    Bulge(action=4, centre=(224, 78), radii=(18, 9), strength=0.3),
    Bulge(action=5, centre=(183, 133), radii=(22, 4), strength=0.4),
    Bulge(action=6, centre=(166, 196), radii=(26, 16), strength=0.45),
    Bulge(action=6, centre=(180, 172), radii=(30, 6), strength=-0.3),
    Bulge(action=7, centre=(180, 152), radii=(22, 3.5), strength=0.4),
    Bulge(action=9, centre=(206, 190), radii=(14, 16), strength=0.3),
    Bulge(action=9, centre=(238, 120), radii=(16, 8), strength=-0.4),
    Bulge(action=10, centre=(190, 210), radii=(16, 16), strength=0.4),
    Bulge(action=10, centre=(226, 246), radii=(24, 6), strength=0.3),
    Bulge(action=12, centre=(156, 236), radii=(22, 24), strength=0.45),
    Bulge(action=12, centre=(186, 268), radii=(9, 20), strength=-0.3),
    Bulge(action=14, centre=(184, 286), radii=(7, 8), strength=-0.6),
    Bulge(action=14, centre=(170, 286), radii=(7, 16), strength=0.35),
    Bulge(action=15, centre=(200, 306), radii=(10, 9), strength=0.35),
    Bulge(action=15, centre=(192, 292), radii=(7, 6), strength=-0.4),
    Bulge(action=17, centre=(247, 356), radii=(26, 12), strength=0.35),
    Bulge(action=17, centre=(250, 336), radii=(28, 5), strength=-0.4),
    Bulge(action=20, centre=(184, 290), radii=(10, 8), strength=-0.25),
    Bulge(action=23, centre=(232, 244), radii=(28, 6), strength=0.3),
    Bulge(action=23, centre=(232, 334), radii=(26, 5), strength=-0.35),
    Bulge(action=24, centre=(232, 240), radii=(30, 7), strength=0.4),
    Bulge(action=24, centre=(234, 342), radii=(28, 6), strength=0.4),
    Bulge(action=28, centre=(240, 346), radii=(30, 8), strength=-0.4),
    Bulge(action=28, centre=(236, 244), radii=(28, 7), strength=0.3),
)
