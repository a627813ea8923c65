import numpy as np

from facskit.faces.drawing import blur, convolve, polygon_mask, resize, strokes_mask


def test_polygon_covers_its_area() -> None:
    mask = polygon_mask(np.array([(10.0, 10), (30, 10), (30, 20), (10, 20)]), (50, 40))
    assert mask.shape == (40, 50)
    assert mask[15, 20] == 1
    assert mask[5, 5] == 0
    assert abs(mask.sum() - 231) < 35


def test_strokes_take_their_strength() -> None:
    lines = [np.array([(5.0, 10), (35, 10)]), np.array([(5.0, 30), (35, 30)])]
    mask = strokes_mask(lines, [3, 3], (40, 40), [1.0, 0.5])
    assert mask[10, 20] == 1
    np.testing.assert_allclose(mask[30, 20], 0.5, atol=0.01)
    assert mask[20, 20] == 0


def test_no_strokes_give_an_empty_mask() -> None:
    assert strokes_mask([], [], (8, 8)).sum() == 0


def test_blur_keeps_the_sum_and_zero_blur_the_image() -> None:
    image = np.zeros((41, 41), np.float32)
    image[20, 20] = 1
    np.testing.assert_allclose(blur(image, 2).sum(), 1, atol=1e-4)
    np.testing.assert_array_equal(blur(image, 0), image)


def test_convolve_matches_a_loop() -> None:
    rng = np.random.default_rng(0)
    image, kernel = rng.random((9, 8), np.float32), rng.random((3, 3), np.float32)
    expected = sum(kernel[r, c] * image[3 + r - 1, 4 + c - 1] for r in range(3) for c in range(3))
    np.testing.assert_allclose(convolve(image, kernel)[3, 4], expected, rtol=1e-5)


def test_resize_averages_when_shrinking() -> None:
    image = np.array([[0, 1], [1, 2]], np.float32)
    np.testing.assert_allclose(resize(image, (1, 1)), [[1.0]])
    assert resize(image, (6, 4)).shape == (4, 6)
