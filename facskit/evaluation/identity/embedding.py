"""A picture of features in two dimensions, and the numbers that keep it honest: how clustered they are, and by what.

A t-SNE map can look clustered when nothing is, so silhouettes and nearest neighbours are measured on the features
themselves, never on the map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8, Int64, Shaped
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.preprocessing import StandardScaler

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.errors import DatasetError

__all__ = ["Clustering", "Embedding", "EmbeddingConfig", "embed_features"]


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """Which faces are drawn, and how."""

    subjects: int = 20
    """Most subjects (paper: 20), chosen by the seed."""
    neighbours: int = 5
    """Nearest faces that are asked."""
    perplexity: float = 30.0
    """t-SNE's number of neighbours."""
    components: int = 50
    """Principal components that t-SNE starts from; more only slow it down."""
    permutations: int = 20
    """Shuffles of the answers that chance is the mean of."""
    seed: int = 0
    """Seed of the choice of subjects, of t-SNE and of the shuffles."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for name, limit in (("subjects", 2), ("neighbours", 1), ("components", 2), ("permutations", 1), ("seed", 0)):
            if getattr(self, name) < limit:
                raise ValueError(f"{name} must be at least {limit}, got {getattr(self, name)}")
        if not self.perplexity > 1:
            raise ValueError(f"perplexity must be above 1, got {self.perplexity}")


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """How much features that have something in common lie together."""

    silhouette: float
    """Mean silhouette, from -1 to 1: 0 if faces are as near to others as to their own kind."""
    neighbour_accuracy: float
    """Mean over the kinds of the share of faces whose nearest others, asked to vote, name their kind."""
    chance: float
    """The same when the kinds are shuffled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """A map of faces, with what is known about them."""

    points: Float[np.ndarray, "faces 2"]
    """Places on the map; directions and scale mean nothing."""
    subjects: tuple[str, ...]
    """Whose face each is."""
    labels: Int8[np.ndarray, "faces aus"]
    """`LabelState` values of each."""
    action_units: ActionUnitSet
    """Columns of the labels."""
    by_subject: Clustering
    """How clustered the features are by subject."""
    by_unit: Mapping[str, Clustering]
    """How clustered they are by each AU that is both present and absent often enough, by its code. Only faces of other
    subjects are asked to vote, lest people who always show an AU make it look understood."""


def embed_features(
    features: Float[np.ndarray, "faces dim"],
    subjects: Sequence[str] | Shaped[np.ndarray, "faces"],
    labels: Int8[np.ndarray, "faces aus"],
    action_units: ActionUnitSet,
    config: EmbeddingConfig | None = None,
) -> Embedding:
    """Draw a map of some subjects' faces and measure how they cluster.

    Args:
        labels: `LabelState` values of its AUs.

    Raises:
        DatasetError: There are fewer than two subjects, or too few faces for the neighbours that are asked.

    Paper:
        FMAE-IAT, figure 4, which shows t-SNE of 20 subjects and no number.
    """
    config = config or EmbeddingConfig()
    names = np.asarray(subjects, dtype=str)
    everyone = sorted(set(names.tolist()))
    generator = np.random.default_rng(config.seed)
    chosen = np.isin(names, generator.permutation(everyone)[: config.subjects])
    names, shown = names[chosen], labels[chosen]
    if len(everyone) < 2 or len(names) < 3 * config.neighbours:
        raise DatasetError(
            f"there are {len(names)} faces of {len(everyone)} subjects; a map needs at least {3 * config.neighbours} "
            "faces of 2 subjects"
        )
    values = StandardScaler().fit_transform(features[chosen].astype(np.float64))
    distances = pairwise_distances(values)
    kinds = np.unique(names, return_inverse=True)[1]
    return Embedding(
        points=_map(values, config),
        subjects=tuple(names.tolist()),
        labels=shown,
        action_units=action_units,
        by_subject=_clustering(distances, kinds, np.ones_like(distances, dtype=np.bool_), config),
        by_unit=_by_unit(distances, kinds, shown, action_units, config),
    )


def _map(values: Float[np.ndarray, "faces dim"], config: EmbeddingConfig) -> Float[np.ndarray, "faces 2"]:
    size = min(config.components, *values.shape)
    reduced = PCA(size, random_state=config.seed).fit_transform(values) if size < values.shape[1] else values
    perplexity = min(config.perplexity, (len(values) - 1) / 3)
    points: Float[np.ndarray, "faces 2"] = TSNE(
        perplexity=perplexity, init="pca", random_state=config.seed
    ).fit_transform(reduced)
    return points.astype(np.float64)


def _by_unit(
    distances: Float[np.ndarray, "faces faces"],
    subjects: Int64[np.ndarray, "faces"],
    labels: Int8[np.ndarray, "faces aus"],
    action_units: ActionUnitSet,
    config: EmbeddingConfig,
) -> dict[str, Clustering]:
    found = {}
    for code, column in zip(action_units.codes, labels.T, strict=True):
        known = np.flatnonzero(column != LabelState.UNKNOWN)
        states = column[known].astype(np.int64)
        if min((states == state).sum() for state in (0, 1)) < config.neighbours:
            continue
        others = subjects[known][:, np.newaxis] != subjects[known]
        if others.sum(axis=1).min() >= config.neighbours:
            found[code] = _clustering(distances[np.ix_(known, known)], states, others, config)
    return found


def _clustering(
    distances: Float[np.ndarray, "faces faces"],
    kinds: Int64[np.ndarray, "faces"],
    may_vote: Bool[np.ndarray, "faces faces"],
    config: EmbeddingConfig,
) -> Clustering:
    kept = np.where(may_vote, distances, np.inf)
    np.fill_diagonal(kept, np.inf)
    nearest = np.argsort(kept, axis=1, kind="stable")[:, : config.neighbours]
    generator = np.random.default_rng(config.seed)
    shuffled = [_vote(nearest, generator.permutation(kinds)) for _ in range(config.permutations)]
    return Clustering(
        silhouette=float(silhouette_score(distances, kinds, metric="precomputed")),
        neighbour_accuracy=_vote(nearest, kinds),
        chance=float(np.mean(shuffled)),
    )


def _vote(nearest: Int64[np.ndarray, "faces neighbours"], kinds: Int64[np.ndarray, "faces"]) -> float:
    """Return the mean over kinds of the share of faces whose neighbours name them; the nearest decides a tie."""
    votes = np.zeros((len(kinds), kinds.max() + 1))
    for rank in range(nearest.shape[1]):
        # What a nearer neighbour has ahead is too little to outvote anybody.
        votes[np.arange(len(kinds)), kinds[nearest[:, rank]]] += 1 + 1e-3 * 0.5**rank
    right = votes.argmax(axis=1) == kinds
    return float(np.mean([right[kinds == kind].mean() for kind in np.unique(kinds)]))
