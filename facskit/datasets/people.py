"""Who is the same person in two corpora, so that nobody is tested on whom a model was trained on.

Subject names are corpora's own: `SN001` of DISFA+ is `SN001` of DISFA, but `F001` of BP4D+ is taken to be somebody else
than `F001` of BP4D.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facskit.datasets.origin import UNNAMED, DataOrigin
from facskit.errors import DatasetError

__all__ = ["People", "people_of_weights", "person_key", "refuse_shared_people", "shared_people"]

_SAME_PEOPLE = {"disfa-plus": "disfa"}
_SPELLED = {"bp4d+": "bp4d-plus", "bp4dplus": "bp4d-plus", "disfa+": "disfa-plus", "disfaplus": "disfa-plus"}
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class People:
    """Some people of one corpus."""

    corpus: str | None
    """Whose names they have, as in `DataOrigin.corpus`; None if nobody wrote it down."""
    subjects: tuple[str, ...]
    """Their names there."""


def person_key(corpus: str, subject: str) -> str:
    """Return a name that is the same wherever the same person appears.

    All nine people of DISFA+ took part in DISFA before, under the same names. BP4D and BP4D+ are taken to show
    different people although both have an F001: that is an assumption, because they are described as separate
    recordings and neither says that anybody returned. AffectNet's and RAF-DB's pictures name nobody, so two pictures of
    one person have two keys.

    Args:
        corpus: Name of the corpus, for example `disfa-plus` or `DISFA+`.
        subject: Name of the person there; `SN001`, `sn1` and `SN0001` are one.

    Returns:
        For example `disfa:SN001`.
    """
    name = _corpus(corpus)
    return f"{_SAME_PEOPLE.get(name, name)}:{_plain_name(name, subject)}"


def shared_people(a: People, b: People) -> tuple[tuple[str, str], ...]:
    """Find who is in both of two groups.

    Returns:
        Pairs of names, the one in `a` and the one in `b`, sorted. If a group's corpus isn't known, names are compared
        as they are, so a pair may be two people who happen to have one name.
    """
    if a.corpus in (None, UNNAMED) or b.corpus in (None, UNNAMED):
        return tuple((name, name) for name in sorted(set(a.subjects) & set(b.subjects)))
    keys = {person_key(b.corpus, name): name for name in b.subjects}
    found = {(name, keys[key]) for name in a.subjects if (key := person_key(a.corpus, name)) in keys}
    return tuple(sorted(found))


def refuse_shared_people(
    train_origin: DataOrigin | str | None,
    train_subjects: Sequence[str],
    test_origin: DataOrigin | str | None,
    test_subjects: Sequence[str],
) -> tuple[str, ...]:
    """Refuse to test a model on people it was trained on.

    Args:
        train_origin: What the model was trained on: a manifest's origin, its stamp, or the corpus's name; None if
            nobody wrote it down.
        train_subjects: Whom it was trained on.
        test_origin: The same for the data to test on.
        test_subjects: Who is to be tested on.

    Returns:
        Names that both have although it isn't known whether they are the same people, because an origin is unknown:
        a note for the report. Empty when all is known.

    Raises:
        DatasetError: People are in both; the message names some and says what to do.
    """
    trained = People(corpus=_name_of(train_origin), subjects=tuple(train_subjects))
    tested = People(corpus=_name_of(test_origin), subjects=tuple(test_subjects))
    both = shared_people(trained, tested)
    if trained.corpus is None or tested.corpus is None:
        return tuple(name for name, _ in both)
    if both:
        names = ", ".join(name for _, name in both[:_SHOWN])
        more = f" and {len(both) - _SHOWN:,} more" if len(both) > _SHOWN else ""
        other = "" if trained.corpus == tested.corpus else f" (people of {tested.corpus} are in {trained.corpus} too)"
        raise DatasetError(
            f"{len(both):,} of {len(set(test_subjects)):,} people to test on were trained on{other}: {names}{more}; "
            "leave them out (facskit evaluate does it with --known-people leave-out), choose other folds, or "
            "use weights trained without them"
        )
    return ()


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
