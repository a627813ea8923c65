"""The Facial Action Coding System's vocabulary: action units (AUs) and the ordered sets data sets code.

An AU travels by name, never as a bare column index: an `ActionUnitSet` goes with every tensor, file and checkpoint, and
says which AU each column is.

Sources: Ekman, Friesen & Hager, *Facial Action Coding System* (2002) for numbers, names and muscles; the sets are those
of the corpora's releases as used by CIU and FMAE-IAT.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

__all__ = [
    "ACTION_UNITS",
    "ACTION_UNIT_SETS",
    "BP4D",
    "BP4D_PLUS",
    "DISFA_8",
    "DISFA_12",
    "NO_ACTION_UNITS",
    "RENDERED",
    "ActionUnit",
    "ActionUnitSet",
    "Region",
    "parse_action_unit",
]


class Region(StrEnum):
    """The part of the face where an action unit shows most."""

    BROW = "brow"
    EYE = "eye"
    NOSE = "nose"
    CHEEK = "cheek"
    MOUTH = "mouth"
    CHIN = "chin"
    JAW = "jaw"


@dataclass(frozen=True, slots=True, order=True)
class ActionUnit:
    """One facial muscle movement of FACS."""

    number: int
    """FACS number, for example 12."""
    name: str
    """FACS name, for example "Lip corner puller"."""
    muscle: str
    """Muscle or muscles that make the movement."""
    region: Region
    """Where on the face it shows most."""

    @property
    def code(self) -> str:
        """Column name with two digits, for example `AU01`."""
        return f"AU{self.number:02d}"

    def __str__(self) -> str:
        """Return the code."""
        return self.code


ACTION_UNITS: tuple[ActionUnit, ...] = (
    ActionUnit(1, "Inner brow raiser", "Frontalis, pars medialis", Region.BROW),
    ActionUnit(2, "Outer brow raiser", "Frontalis, pars lateralis", Region.BROW),
    ActionUnit(4, "Brow lowerer", "Corrugator supercilii, depressor supercilii, procerus", Region.BROW),
    ActionUnit(5, "Upper lid raiser", "Levator palpebrae superioris", Region.EYE),
    ActionUnit(6, "Cheek raiser", "Orbicularis oculi, pars orbitalis", Region.CHEEK),
    ActionUnit(7, "Lid tightener", "Orbicularis oculi, pars palpebralis", Region.EYE),
    ActionUnit(9, "Nose wrinkler", "Levator labii superioris alaeque nasi", Region.NOSE),
    ActionUnit(10, "Upper lip raiser", "Levator labii superioris", Region.MOUTH),
    ActionUnit(12, "Lip corner puller", "Zygomaticus major", Region.MOUTH),
    ActionUnit(14, "Dimpler", "Buccinator", Region.MOUTH),
    ActionUnit(15, "Lip corner depressor", "Depressor anguli oris", Region.MOUTH),
    ActionUnit(17, "Chin raiser", "Mentalis", Region.CHIN),
    ActionUnit(20, "Lip stretcher", "Risorius, platysma", Region.MOUTH),
    ActionUnit(23, "Lip tightener", "Orbicularis oris", Region.MOUTH),
    ActionUnit(24, "Lip pressor", "Orbicularis oris", Region.MOUTH),
    ActionUnit(25, "Lips part", "Depressor labii inferioris, or relaxed mentalis or orbicularis oris", Region.MOUTH),
    ActionUnit(26, "Jaw drop", "Masseter, temporalis and internal pterygoid relaxed", Region.JAW),
    ActionUnit(28, "Lip suck", "Orbicularis oris", Region.MOUTH),
    ActionUnit(43, "Eyes closed", "Levator palpebrae superioris relaxed", Region.EYE),
    ActionUnit(45, "Blink", "Levator palpebrae superioris relaxed, orbicularis oculi", Region.EYE),
)
"""Every action unit facskit knows, in ascending order of its FACS number."""

_BY_NUMBER = {unit.number: unit for unit in ACTION_UNITS}
_NONE = "none"
_SPELLING = re.compile(r"(?:au[\s_-]*)?0*(\d{1,3})", re.IGNORECASE)


def parse_action_unit(text: str | int) -> ActionUnit:
    """Read an action unit however people write it: `AU01`, `AU1`, `au_1`, `1` or the number 1.

    Raises:
        ValueError: The text is no spelling of a known action unit.
    """
    match = _SPELLING.fullmatch(str(text).strip())
    unit = _BY_NUMBER.get(int(match[1])) if match else None
    if unit is None:
        known = ", ".join(str(number) for number in _BY_NUMBER)
        raise ValueError(f"{str(text)!r} is not a known action unit; expected AU followed by one of {known}")
    return unit


@dataclass(frozen=True)
class ActionUnitSet:
    """An ordered set of action units: what the columns of a tensor, table or weight file mean."""

    units: tuple[ActionUnit, ...]
    """The action units in column order, each once."""

    def __post_init__(self) -> None:
        """Refuse an empty set, which is usually a mistake and otherwise `NO_ACTION_UNITS`, and repeated units."""
        if not self.units:
            raise ValueError("an action unit set needs at least one action unit, got none (NO_ACTION_UNITS has none)")
        repeated = sorted({unit.code for unit in self.units if self.units.count(unit) > 1})
        if repeated:
            raise ValueError(f"an action unit set names each unit once, got {', '.join(repeated)} more than once")

    @classmethod
    def parse(cls, text: "str | Iterable[str | int | ActionUnit]") -> "ActionUnitSet":
        """Read a set from its name (`disfa-8`), from a list in one text (`AU01,AU02` or `1 2 4`), or from an iterable.

        `none` is the empty set.

        Raises:
            ValueError: A spelling is unknown, a unit is named twice, or there is none.
        """
        if isinstance(text, str):
            name = text.strip().lower().replace("_", "-")
            if name == _NONE:
                return NO_ACTION_UNITS
            if name in ACTION_UNIT_SETS:
                return ACTION_UNIT_SETS[name]
            text = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
        return cls(tuple(part if isinstance(part, ActionUnit) else parse_action_unit(part) for part in text))

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Column names in order, for example `("AU01", "AU02")`."""
        return tuple(unit.code for unit in self.units)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """FACS numbers in order."""
        return tuple(unit.number for unit in self.units)

    def index(self, unit: ActionUnit | str | int) -> int:
        """Return the column of an action unit; one that is unknown or not in this set is a ValueError."""
        wanted = unit if isinstance(unit, ActionUnit) else parse_action_unit(unit)
        if wanted not in self.units:
            raise ValueError(f"{wanted.code} is not in this action unit set; it has {self}")
        return self.units.index(wanted)

    def __contains__(self, unit: object) -> bool:
        """Tell whether a unit, given as `ActionUnit`, spelling or number, is in the set."""
        if isinstance(unit, str | int):
            try:
                unit = parse_action_unit(unit)
            except ValueError:
                return False
        return unit in self.units

    def __len__(self) -> int:
        """Return the number of action units."""
        return len(self.units)

    def __iter__(self) -> Iterator[ActionUnit]:
        """Iterate over the action units in column order."""
        return iter(self.units)

    def __str__(self) -> str:
        """Return the codes joined by commas, or `none`; `parse` reads it back."""
        return ",".join(self.codes) or _NONE


def _of(*numbers: int) -> ActionUnitSet:
    return ActionUnitSet(tuple(_BY_NUMBER[number] for number in numbers))


NO_ACTION_UNITS = object.__new__(ActionUnitSet)
"""The empty set, for faces and models that have expressions but no action units."""
object.__setattr__(NO_ACTION_UNITS, "units", ())  # past the constructor, which takes an empty set for a mistake
BP4D = _of(1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The 12 AUs evaluated on BP4D."""
BP4D_PLUS = BP4D
"""The 12 AUs evaluated on BP4D+, the same as BP4D's."""
DISFA_8 = _of(1, 2, 4, 6, 9, 12, 25, 26)
"""The 8 AUs usually evaluated on DISFA."""
DISFA_12 = _of(1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""All 12 AUs coded in DISFA."""
RENDERED = _of(1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
"""The 19 AUs that rendered faces can show."""

ACTION_UNIT_SETS: dict[str, ActionUnitSet] = {
    "bp4d": BP4D,
    "bp4d-plus": BP4D_PLUS,
    "disfa-8": DISFA_8,
    "disfa-12": DISFA_12,
    "rendered": RENDERED,
}
"""The named sets, by the name that recipes and the command line use."""
