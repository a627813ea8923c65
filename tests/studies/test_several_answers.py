"""The measures of the study of several answers, where they are known."""

import numpy as np
import pytest

from studies.several_answers import intraclass_correlation


def test_intraclass_correlation_is_consistency() -> None:
    truth = np.array([0.0, 1.0, 2.0, 5.0])
    assert intraclass_correlation(truth, truth + 3) == pytest.approx(1.0)
    # Shrout and Fleiss: (BMS - EMS) / (BMS + EMS) for two raters
    told = np.array([1.0, 1.0, 4.0, 3.0])
    both = np.stack([truth, told])
    difference, total = both[0] - both[1], both.sum(0)
    between, error = total.var(ddof=1) / 2, difference.var(ddof=1) / 2
    assert intraclass_correlation(truth, told) == pytest.approx((between - error) / (between + error))
    assert np.isnan(intraclass_correlation(np.zeros(4), np.zeros(4)))
