"""Drawing reaches the pixels it should."""

import numpy as np

from facskit.faces.canvas import Canvas, text_width

RED = (200, 0, 0)


def test_shapes_land_where_they_are_put() -> None:
    canvas = Canvas(40, 30)
    canvas.rectangle((5.0, 5.0, 15.0, 10.0), RED)
    canvas.dot(30.0, 20.0, 3.0, RED)
    canvas.rectangle((9.0, 9.0, 9.0, 9.0), (0, 0, 0))  # empty
    pixels = canvas.pixels()
    assert pixels.shape == (30, 40, 3)
    assert pixels[7, 10].tolist() == list(RED)
    assert pixels[20, 30].tolist() == list(RED)
    assert pixels[1, 1].tolist() == [255, 255, 255]


def test_a_frame_leaves_its_inside_free() -> None:
    canvas = Canvas(40, 40)
    canvas.frame((5.0, 5.0, 35.0, 35.0), RED, 2.0)
    pixels = canvas.pixels()
    assert pixels[20, 5].tolist() == list(RED)
    assert pixels[20, 20].tolist() == [255, 255, 255]


def test_text_leaves_ink_and_grows_with_its_size() -> None:
    canvas = Canvas(100, 30)
    canvas.text(2.0, 15.0, "AU12", 16.0, (0, 0, 0))
    rows, columns = np.nonzero(canvas.pixels().min(axis=2) < 128)
    assert len(rows) > 20
    assert 8 < rows.mean() < 22
    assert abs(columns.max() - 2 - text_width("AU12", 16.0)) < 4
    assert text_width("AU12", 32.0) > 1.8 * text_width("AU12", 16.0)


def test_pasted_pictures_keep_or_change_their_size() -> None:
    image = np.full((10, 10, 3), 50, np.uint8)
    canvas = Canvas(40, 40)
    canvas.paste(image)
    assert canvas.pixels()[12, 12].tolist() == [255, 255, 255]
    canvas.paste(image, (20, 20))
    assert canvas.pixels()[12, 12].tolist() == [50, 50, 50]
