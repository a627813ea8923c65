"""The photo studio: what must not show in a picture."""

from dataclasses import replace

import numpy as np
import pytest

from facskit.action_units import RENDERED
from facskit.synthesis.expressions import FacialAction
from facskit.synthesis.head import load_head
from facskit.synthesis.studio import Studio, invent_person, noise_stream, sample_picture

pytest.importorskip("vtkmodules")


def test_behind_closed_lids_it_does_not_show_where_the_eyes_turn() -> None:
    head = load_head()
    studio = Studio(head, 64)
    person = invent_person(0, 0, "balanced", head)
    studio.seat(person)
    _, scene = sample_picture(person, 0, 0, 0)
    closed = np.zeros(len(RENDERED))
    closed[RENDERED.index(43)] = 1.0

    def picture(units: np.ndarray, yaw: float) -> np.ndarray:
        turned = replace(scene, gaze=(0.1, yaw), pose=(0.0, 0.0, 0.0))
        action = FacialAction(left=units, right=units, gaze=turned.gaze)
        return studio.photograph(action, turned, noise_stream(0, 0, 0)).image

    assert (picture(closed, 0.4) == picture(closed, -0.4)).all()
    assert (picture(np.zeros(len(RENDERED)), 0.4) != picture(np.zeros(len(RENDERED)), -0.4)).any()
    studio.close()
