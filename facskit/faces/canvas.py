"""Drawing on pictures for people: text, boxes, dots and bars, with a font that is always there.

Positions are pixels; colours are (red, green, blue), 0 to 255.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Canvas", "Colour", "Number", "Rectangle", "text_width"]

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Number = float | int
"""A position or length in pixels, whole or not."""
Rectangle = tuple[Number, Number, Number, Number]
"""Left, top, right, bottom in pixels."""


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text_width(text: str, size: Number) -> float:
    """Return how wide a line of text is, in a font `size` pixels high, in pixels."""
    return float(_font(max(1, round(size))).getlength(text))


class Canvas:
    """A white picture of some width and height in pixels, to draw on."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), (255, 255, 255))
        self._draw = ImageDraw.Draw(self._image)

    def paste(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        size: tuple[int, int] | None = None,
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        """Put a picture onto the canvas.

        Args:
            size: Width and height to resize it to; its own when left out.
            corner: Where its top left corner goes.
        """
        picture = Image.fromarray(np.ascontiguousarray(image))
        if size is not None and size != picture.size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        self._image.paste(picture, corner)

    def rectangle(self, edges: Rectangle, colour: Colour, radius: Number = 0.0) -> None:
        """Fill a rectangle, with rounded corners if wished; an empty one draws nothing."""
        if edges[2] > edges[0] and edges[3] > edges[1]:
            self._draw.rounded_rectangle(edges, radius=radius, fill=colour)

    def frame(self, edges: Rectangle, colour: Colour, width: Number) -> None:
        """Draw the outline of a rectangle with rounded corners, `width` pixels thick."""
        radius = min(edges[2] - edges[0], edges[3] - edges[1]) * 0.06
        self._draw.rounded_rectangle(edges, radius=radius, outline=colour, width=max(1, round(width)))

    def dot(self, x: Number, y: Number, radius: Number, colour: Colour) -> None:
        """Fill a circle."""
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def text(self, x: Number, middle: Number, text: str, size: Number, colour: Colour) -> None:
        """Write one line of text from `x` on, whose vertical middle is `middle`."""
        font = _font(max(1, round(size)))
        anchor = "lm" if isinstance(font, ImageFont.FreeTypeFont) else None
        self._draw.text((x, middle), text, fill=colour, font=font, anchor=anchor)

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Return what was drawn."""
        return np.array(self._image, dtype=np.uint8)
