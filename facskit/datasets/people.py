"""People behind the names of corpora: who is the same person in two of them, and whom a model was trained on.

Subject names are corpora's own: `SN001` of DISFA+ is `SN001` of DISFA, but `F001` of BP4D+ is taken to be somebody else
than `F001` of BP4D. Rendered people have names that nobody else has, such as `R2026-00001`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facskit.datasets.manifest import Manifest
from facskit.datasets.origin import UNNAMED, DataOrigin
from facskit.errors import DatasetError

__all__ = [
    "KnownPeople",
    "People",
    "find_known_people",
    "independence_notes",
    "people_of_weights",
    "person_key",
    "refuse_known_people",
]

_SAME_PEOPLE = {"disfa-plus": "disfa"}
_SPELLED = {"bp4d+": "bp4d-plus", "bp4dplus": "bp4d-plus", "disfa+": "disfa-plus", "disfaplus": "disfa-plus"}
_RENDERED = re.compile(r"R\d+-\d{5,}(-[\w-]+)?")
"""Names that `facskit synthesize` gives, those of the packaged faces among them: seed and number make the person."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class People:
    """Some people of one corpus."""

    corpus: str | None
    """Whose names they have, as in `DataOrigin.corpus`; None if nobody wrote it down."""
    subjects: tuple[str, ...]
    """Their names there."""

    @classmethod
    def of(cls, manifest: Manifest, subjects: Sequence[str] | None = None) -> "People":
        """Return people of a manifest; everybody if no names are given."""
        return cls(
            corpus=_name_of(manifest.origin), subjects=tuple(manifest.subject_names if subjects is None else subjects)
        )


@dataclass(frozen=True, kw_only=True)
class KnownPeople:
    """Those of some people whom a model was trained on, by name."""

    certain: tuple[str, ...]
    """The same people for certain, sorted."""
    doubtful: tuple[str, ...]
    """People with the name of somebody it was trained on, where nobody wrote down whose names these are, sorted."""

    @property
    def all(self) -> tuple[str, ...]:
        """Both together, sorted."""
        return tuple(sorted({*self.certain, *self.doubtful}))


def person_key(corpus: str | None, subject: str) -> str | None:
    """Return a name that is the same wherever the same person appears; None if it isn't known whose name it is.

    All nine people of DISFA+ took part in DISFA before, under the same names. BP4D and BP4D+ are taken to show
    different people although both have an F001: that is an assumption, because they are described as separate
    recordings and neither says that anybody returned. AffectNet's and RAF-DB's pictures name nobody, so two pictures of
    one person have two keys.

    Args:
        corpus: Name of the corpus, for example `disfa-plus` or `DISFA+`, or None if nobody wrote it down.
        subject: Name of the person there; `SN001`, `sn1` and `SN0001` are one.

    Returns:
        For example `disfa:SN001`.
    """
    if _RENDERED.fullmatch(subject):
        return f"rendered:{subject}"
    if corpus in (None, UNNAMED):
        return None
    name = _corpus(corpus)
    return f"{_SAME_PEOPLE.get(name, name)}:{_plain_name(name, subject)}"


def find_known_people(trained: Sequence[People], tested: People) -> KnownPeople:
    """Find out which people a model knows from those it was trained on, as `people_of_weights` returns them."""
    known_keys = {person_key(group.corpus, name) for group in trained for name in group.subjects} - {None}
    unclear = {name for group in trained for name in group.subjects if person_key(group.corpus, name) is None}
    names = {name for group in trained for name in group.subjects}
    certain, doubtful = [], []
    for name in sorted(set(tested.subjects)):
        key = person_key(tested.corpus, name)
        if key in known_keys:
            certain.append(name)
        elif name in unclear or (key is None and name in names):
            doubtful.append(name)
    return KnownPeople(certain=tuple(certain), doubtful=tuple(doubtful))


def refuse_known_people(trained: Sequence[People], tested: People) -> None:
    """Refuse to test a model on people it was certainly trained on.

    Raises:
        DatasetError: People are in both; the message names some and says what to do.
    """
    both = find_known_people(trained, tested).certain
    if not both:
        return
    names = ", ".join(both[:_SHOWN])
    more = f" and {len(both) - _SHOWN:,} more" if len(both) > _SHOWN else ""
    elsewhere = next((group.corpus for group in trained if find_known_people([group], tested).certain), None)
    other = "" if tested.corpus == elsewhere else f" (people of {tested.corpus} are in {elsewhere} too)"
    raise DatasetError(
        f"{len(both):,} of {len(set(tested.subjects)):,} people to test on were trained on{other}: {names}{more}; "
        "leave them out (facskit evaluate does it with --known-people leave-out), choose other folds, or "
        "use weights trained without them"
    )


def independence_notes(provenance: Mapping[str, Any], tested: People) -> list[str]:
    """Say so if weights were trained on people with the names of those tested, or on nobody knows whom."""
    trained = people_of_weights(provenance)
    if not trained:
        return ["It isn't known whom the weights were trained on; scores of people among them are too good."]
    known = find_known_people(trained, tested).all
    if not known:
        return []
    return [f"NOT INDEPENDENT: {len(known)} subjects have names of training subjects, {known[0]} for example."]


def people_of_weights(provenance: Mapping[str, Any]) -> tuple[People, ...]:
    """Read from a weight file whom it was trained on, the weights that its training started from included.

    Args:
        provenance: `CheckpointInfo.provenance` or `EncoderInfo.provenance`.

    Returns:
        One group per training; none where no names were kept. A start's groups are read from `initial_people`, a list
        of `{"corpus": ..., "subjects": [...]}`; without it `initial_training_subjects` are people of an unknown corpus.
    """
    groups = []
    own = provenance.get("training_subjects")
    if isinstance(own, list) and own:
        told = provenance.get("data") or provenance.get("corpus")
        groups.append(People(corpus=_name_of(str(told) if told else None), subjects=tuple(map(str, own))))
    before = provenance.get("initial_people")
    start = provenance.get("initial_training_subjects")
    if isinstance(before, list):
        groups += [
            People(corpus=_name_of(group.get("corpus")), subjects=tuple(map(str, group.get("subjects", ()))))
            for group in before
            if isinstance(group, dict)
        ]
    elif isinstance(start, list) and start:
        groups.append(People(corpus=None, subjects=tuple(map(str, start))))
    return tuple(groups)


def _name_of(origin: DataOrigin | str | None) -> str | None:
    """Return the corpus's name; a stamp begins with it."""
    if origin is None:
        return None
    name = origin.corpus if isinstance(origin, DataOrigin) else origin.partition(":")[0]
    return None if name == UNNAMED else _corpus(name) or None


def _corpus(name: str) -> str:
    plain = name.strip().casefold().replace("_", "-")
    return _SPELLED.get(plain.replace("-", ""), plain)


def _plain_name(corpus: str, subject: str) -> str:
    """Spell a subject's name as the corpus does: letters, then three digits."""
    if corpus in {"disfa", "disfa-plus"}:
        match = re.fullmatch(r"SN0*(\d+)", subject.strip(), re.IGNORECASE)
        return f"SN{int(match[1]):03d}" if match else subject
    if corpus in {"bp4d", "bp4d-plus"}:
        match = re.fullmatch(r"2?([FM])0*(\d+)", subject.strip(), re.IGNORECASE)
        return f"{match[1].upper()}{int(match[2]):03d}" if match else subject
    return subject
