"""Where action units show: the published centres and maps, their mirror image, and missing landmarks."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from facskit.action_units import ACTION_UNITS, BP4D, DISFA_8, NO_ACTION_UNITS, ActionUnitSet
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.packed import packaged_faces
from facskit.faces.landmarks import MIRRORED_68, POINTS_49
from facskit.models.attention_targets import CENTRE_RULES, attention_targets, unit_centres

POINTS = {
    1: (49.078170, 39.873213),
    2: (60.993917, 38.902997),
    4: (83.558031, 45.426154),
    5: (114.517880, 44.361981),
    7: (136.503469, 37.537692),
    8: (148.724350, 37.883339),
    15: (92.074784, 112.123459),
    17: (108.939478, 112.426024),
    21: (72.031956, 59.935643),
    22: (79.361849, 67.771907),
    24: (60.712276, 69.940971),
    25: (120.260662, 66.703620),
    26: (128.232240, 59.862083),
    29: (137.523029, 69.876529),
    31: (67.395868, 131.360794),
    34: (100.591025, 122.169850),
    37: (129.233888, 133.810345),
    39: (112.955543, 154.390301),
    40: (100.069140, 155.487778),
    41: (86.383710, 152.356767),
    43: (86.007806, 130.714159),
    45: (112.964735, 131.107373),
}
"""Some of the 49 points of the first face in the authors' sample list, in pixels of the 200-pixel picture."""
CENTRES = {
    1: ((17.890, 3.244), (25.629, 2.978)),
    2: ((9.270, 3.560), (34.181, 3.063)),
    4: ((12.248, 10.134), (31.126, 9.793)),
    6: ((12.178, 24.710), (31.381, 24.694)),
    7: ((15.008, 11.984), (29.058, 11.966)),
    9: ((20.019, 19.919), (24.235, 19.994)),
    10: ((18.502, 29.679), (25.241, 29.777)),
    12: ((13.849, 29.840), (29.308, 30.453)),
    17: ((25.239, 40.710), (18.596, 40.202)),
    23: ((22.148, 27.542), (22.017, 35.872)),
}
"""Action unit -> its centres (x, y) on that face in the central 176 pixels, in cells of a 44 x 44 map, by published
code."""
SAME_PLACE = {12: (14, 15), 23: (24, 25), 17: (26,)}
"""Units whose maps are those of others, which the published code agrees on."""
RENDERED_ONLY = {5, 16, 18, 20, 22, 27, 28, 43, 45}
"""Units that no published code has a rule for."""


def _published_face() -> Tensor:
    landmarks = torch.full((1, 68, 2), math.nan)
    for point, place in POINTS.items():
        landmarks[0, POINTS_49[point]] = torch.tensor(place)
    return landmarks - 12


def _faces(count: int) -> Tensor:
    """Landmarks of packaged faces, in pixels of crops of 128."""
    table = packaged_faces().table[:count]
    points = np.stack([table.select(names).to_numpy() for names in (LANDMARKS_X, LANDMARKS_Y)], axis=2)
    return torch.from_numpy(points).float()


def test_centres_are_the_published_ones() -> None:
    units = ActionUnitSet.parse(CENTRES)

    centres = unit_centres(_published_face(), units)[0] / 4

    torch.testing.assert_close(centres, torch.tensor(list(CENTRES.values())), atol=6e-4, rtol=0)


def test_some_units_show_at_the_place_of_others() -> None:
    for unit, others in SAME_PLACE.items():
        for other in others:
            assert CENTRE_RULES[other] == CENTRE_RULES[unit]


def test_every_unit_has_a_rule_and_ours_are_marked() -> None:
    assert {unit.number for unit in ACTION_UNITS} <= CENTRE_RULES.keys()
    assert {number for number, rule in CENTRE_RULES.items() if not rule.published} == RENDERED_ONLY
    known = set(POINTS_49)
    assert all(set(rule.points) <= known for rule in CENTRE_RULES.values())  # no rule needs what BP4D and DISFA lack


@pytest.mark.parametrize("rounded", [True, False])
def test_maps_are_those_of_a_loop_over_cells(rounded: bool) -> None:
    landmarks = _faces(2)

    maps = attention_targets(landmarks, DISFA_8, image_size=128, spread=2.0, rounded=rounded)

    centres = (unit_centres(landmarks, DISFA_8).double() / 4).tolist()
    assert maps.shape == (2, 8, 32, 32)
    for face, of_face in enumerate(centres):
        for unit, pair in enumerate(of_face):
            places = [[math.floor(value + 0.5) for value in place] for place in pair] if rounded else pair
            for row, column in ((0, 0), (7, 20), (25, 12), (31, 31)):
                distances = [(column - x) ** 2 + (row - y) ** 2 for x, y in places]
                expected = max(math.exp(-distance / 8) for distance in distances)
                assert maps[face, unit, row, column].item() == pytest.approx(expected, abs=1e-6)


def test_maps_reach_one_where_centres_are_rounded() -> None:
    maps = attention_targets(_faces(50), BP4D, image_size=128)

    assert (maps.amax(dim=(2, 3)) == 1).all()
    assert (maps >= 0).all()
    assert (attention_targets(_faces(50), BP4D, image_size=128, rounded=False).amax(dim=(2, 3)) < 1).any()


def test_the_mirror_image_has_the_mirrored_map() -> None:
    landmarks = _faces(50)
    mirrored = landmarks[:, list(MIRRORED_68)].clone()
    mirrored[..., 0] = 127 - mirrored[..., 0]
    moved = landmarks - torch.tensor([3.0, 0.0])

    # The mirrored centre is at cell 127 / 4 - x, the mirrored cell at 31 - x: three pixels less.
    expected = attention_targets(moved, BP4D, image_size=128, rounded=False).flip(3)
    torch.testing.assert_close(attention_targets(mirrored, BP4D, image_size=128, rounded=False), expected)
    # So rounded centres agree up to one cell, to the right.
    maps, mirrored_maps = (attention_targets(face, BP4D, image_size=128) for face in (landmarks, mirrored))
    flipped = maps.flip(3)
    assert (mirrored_maps[..., 1:] <= torch.maximum(flipped[..., 1:], flipped[..., :-1]) + 1e-6).all()
    assert not torch.allclose(mirrored_maps, maps, atol=0.1)


def test_missing_landmarks_leave_only_what_needs_them_unknown() -> None:
    landmarks = _faces(2)
    landmarks[0, 48] = math.nan  # a mouth corner
    landmarks[1, 39] = math.nan  # an inner eye corner: no ruler
    units = ActionUnitSet.parse("1 7 12 23")

    unknown = attention_targets(landmarks, units, image_size=128).isnan()

    assert torch.equal(unknown.any(dim=(2, 3)), unknown.all(dim=(2, 3)))
    assert unknown[:, :, 0, 0].tolist() == [[False, False, True, False], [True, False, False, False]]
    assert attention_targets(landmarks, NO_ACTION_UNITS, image_size=128).shape == (2, 0, 32, 32)


def test_maps_of_half_precision_landmarks_are_exact_all_the_same() -> None:
    landmarks = _faces(1).round()

    maps = attention_targets(landmarks.bfloat16(), BP4D, image_size=128)

    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, attention_targets(landmarks.bfloat16().float(), BP4D, image_size=128))


def test_tables_made_in_inference_serve_training_too() -> None:
    units = ActionUnitSet.parse("2 9 26")
    landmarks = _faces(1)
    with torch.inference_mode():
        unit_centres(landmarks, units)

    landmarks.requires_grad_()
    torch.autograd.backward(unit_centres(landmarks, units).sum())

    assert landmarks.grad is not None


def test_a_unit_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {number: rule for number, rule in CENTRE_RULES.items() if number != 28}
    monkeypatch.setattr("facskit.models.attention_targets.CENTRE_RULES", rules)
    with pytest.raises(ValueError, match=r"^there is no rule where AU28 shows on a face; there are rules for AU01, .*"):
        unit_centres(_faces(1), ActionUnitSet.parse("1 28"))
