"""F1 that needs no model: the numbers that a detector must beat before its F1 means anything.

F1 grows with how common an action unit (AU) is. Always saying "present" reaches 2r / (1 + r) at base rate r, which is
60 % for an AU shown in 43 % of the images. Guessing at random and always saying the more common label are the other
two. ROC-AUC of all three is 0.5, and average precision is the base rate.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.evaluation.confusion_counts import divide

__all__ = ["Baselines", "all_positive_f1", "baselines", "majority_f1", "prior_f1"]

Rates = Float[np.ndarray, "aus"]
"""Share of present labels per AU: r in the test data, q in the training data; NaN where nothing is known."""


def all_positive_f1(rates: Rates) -> Rates:
    """Return the F1 of always predicting "present": 2r / (1 + r)."""
    return divide(2 * rates, 1 + rates)


def prior_f1(rates: Rates, train_rates: Rates) -> Rates:
    """Return the F1 of guessing "present" at random, as often as in training: 2rq / (r + q).

    This is F1 at the expected counts, which the F1 of a large sample approaches.
    """
    return divide(2 * rates * train_rates, rates + train_rates)


def majority_f1(rates: Rates, train_rates: Rates) -> Rates:
    """Return the F1 of always predicting the training data's more common label; at a tie "present".

    It is 0 where the AU is rare in training, and NaN where it is then not present in the test data either.
    """
    never = np.where(rates == 0, np.nan, 0.0)
    f1 = np.where(train_rates >= 0.5, all_positive_f1(rates), never)
    return np.where(np.isnan(rates) | np.isnan(train_rates), np.nan, f1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Baselines:
    """F1 per AU that needs no model."""

    action_units: ActionUnitSet
    """What the entries mean."""
    all_positive: Rates
    """F1 of always predicting "present"."""
    prior: Rates
    """F1 of guessing at random with the training base rate."""
    majority: Rates
    """F1 of always predicting the training data's more common label."""
    from_training: bool
    """Whether training rates were known; otherwise the test rates stood in for them."""


def baselines(action_units: ActionUnitSet, rates: Rates, train_rates: Rates | None = None) -> Baselines:
    """Compute the baselines of a test set; its own rates stand in when those of the training aren't known."""
    guess = rates if train_rates is None else train_rates
    return Baselines(
        action_units=action_units,
        all_positive=all_positive_f1(rates),
        prior=prior_f1(rates, guess),
        majority=majority_f1(rates, guess),
        from_training=train_rates is not None,
    )
