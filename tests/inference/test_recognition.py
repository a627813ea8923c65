"""One face's answer keeps its parts consistent."""

import numpy as np
import pytest

from facskit.action_units import parse_action_unit
from tests.inference.fakes import MOODS, moody_recognition, recognition


def test_units_are_found_by_any_spelling() -> None:
    face = recognition()
    assert face.probability("AU12") == pytest.approx(5 / 7)
    assert face.probability(12) == face.probability("au_12") == face.probability(parse_action_unit(12))
    assert [unit.code for unit in face.present] == ["AU09", "AU12", "AU25", "AU26"]
    with pytest.raises(ValueError, match="AU17 is not in this action unit set"):
        face.probability("AU17")


def test_it_reads_as_a_line() -> None:
    assert str(recognition(3)).startswith("face 3: AU09 nose wrinkler 0.57, AU12 lip corner puller 0.71, ")
    quiet = recognition(decisions=np.zeros(8, bool))
    assert str(quiet) == "face 0: no action unit"


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"confidence must be from 0 to 1, got -0.5"):
        recognition(confidence=-0.5)
    with pytest.raises(ValueError, match="frame and face_id must be 0 or more, got -1 and 0"):
        recognition(frame=-1)
    with pytest.raises(ValueError, match="probabilities must be from 0 to 1"):
        recognition(probabilities=np.full(8, 1.5, np.float32))
    three = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match=r"probabilities must have shape \(8,\), one per action unit, got \(3,\)"):
        recognition(probabilities=three, decisions=three > 1)


def test_an_expression_comes_first() -> None:
    face = moody_recognition()
    assert face.expression == "happiness"
    assert str(face).startswith("face 0: happiness 0.70; AU09 nose wrinkler 0.57, AU12 lip corner puller 0.71, ")
    assert str(moody_recognition(decisions=np.zeros(8, bool))) == "face 0: happiness 0.70; no action unit"
    alone = moody_recognition(2, units=False)
    assert str(alone) == "face 2: happiness 0.70"
    assert alone.present == ()
    assert recognition().expression is None


def test_expressions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expressions and expression_probabilities must be given together"):
        recognition(expressions=MOODS)
    with pytest.raises(ValueError, match=r"expression_probabilities must have shape \(3,\), got \(2,\)"):
        moody_recognition(expression_probabilities=np.array([0.5, 0.5], np.float32))
    with pytest.raises(ValueError, match="expression_probabilities must sum to 1"):
        moody_recognition(expression_probabilities=np.array([0.5, 0.5, 0.5], np.float32))
