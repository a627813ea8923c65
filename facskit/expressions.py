"""Facial expression categories: names and the ordered sets that corpora label.

Like action units, expressions travel by name: two corpora number the same seven classes differently, and a swapped
order is a silent error.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "AFFECTNET_7",
    "AFFECTNET_8",
    "EXPRESSION_NAMES",
    "EXPRESSION_SETS",
    "EXPRESSION_SPELLINGS",
    "RAF_DB",
    "ExpressionName",
    "ExpressionSet",
]

ExpressionName = Literal["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]
"""The eight categories; corpora that write `Happy` or `Angry` mean `happiness` and `anger`."""

EXPRESSION_NAMES: tuple[ExpressionName, ...] = get_args(ExpressionName)
"""The eight names."""
EXPRESSION_SPELLINGS: dict[str, ExpressionName] = {name: name for name in EXPRESSION_NAMES} | {
    "happy": "happiness",
    "happily": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "fearful": "fear",
    "disgusted": "disgust",
    "angry": "anger",
}
"""How people write each name, in small letters."""


@dataclass(frozen=True)
class ExpressionSet:
    """Expressions in the order of a model's outputs."""

    names: tuple[ExpressionName, ...]
    """Each expression once."""

    def __post_init__(self) -> None:
        """Refuse unknown, repeated and too few names."""
        if len(self.names) < 2:
            raise ValueError(f"an expression set needs at least two expressions, got {len(self.names)}")
        for name in self.names:
            if name not in EXPRESSION_NAMES:
                raise ValueError(f"expression must be one of {', '.join(EXPRESSION_NAMES)}, got {name!r}")
            if self.names.count(name) > 1:
                raise ValueError(f"an expression set names each expression once, got {name} more than once")

    @classmethod
    def parse(cls, text: str | Iterable[str]) -> "ExpressionSet":
        """Read a set from its name (`raf-db`), from a list in one text (`neutral,happy`), or from an iterable.

        `Happy` and `happiness` are the same.

        Raises:
            ValueError: A spelling is unknown, an expression is named twice, or there are fewer than two.
        """
        if isinstance(text, str):
            named = EXPRESSION_SETS.get(text.strip().lower().replace("_", "-"))
            if named is not None:
                return named
            text = [part for part in text.replace(",", " ").split() if part]
        spelled = [part.strip().lower() for part in text]
        for name in spelled:
            if name not in EXPRESSION_SPELLINGS:
                raise ValueError(f"expression must be one of {', '.join(EXPRESSION_NAMES)}, got {name!r}")
        return cls(tuple(EXPRESSION_SPELLINGS[name] for name in spelled))

    def index(self, name: str) -> int:
        """Return the output of an expression; one that isn't in this set is a ValueError."""
        if name not in self.names:
            raise ValueError(f"{name!r} is not in this expression set; it has {self}")
        return list[str](self.names).index(name)

    def __len__(self) -> int:
        """Return the number of expressions."""
        return len(self.names)

    def __iter__(self) -> Iterator[ExpressionName]:
        """Iterate over the names in order."""
        return iter(self.names)

    def __str__(self) -> str:
        """Return the names joined by commas, which `parse` reads back."""
        return ",".join(self.names)


RAF_DB = ExpressionSet(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"))
"""RAF-DB's basic classes; its files number them 1 to 7 in this order."""
AFFECTNET_8 = ExpressionSet(("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"))
"""AffectNet's classes; its files number them 0 to 7 in this order."""
AFFECTNET_7 = ExpressionSet(AFFECTNET_8.names[:7])
"""AffectNet without contempt."""

EXPRESSION_SETS: dict[str, ExpressionSet] = {"raf-db": RAF_DB, "affectnet-7": AFFECTNET_7, "affectnet-8": AFFECTNET_8}
"""The named sets, by the name that recipes and the command line use."""
