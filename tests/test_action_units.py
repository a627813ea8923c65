"""The vocabulary: what people type, what comes back, and the published sets."""

import pickle

import pytest

from facskit.action_units import (
    ACTION_UNIT_SETS,
    ACTION_UNITS,
    BP4D,
    DISFA_8,
    DISFA_12,
    NO_ACTION_UNITS,
    RENDERED,
    ActionUnitSet,
    parse_action_unit,
)


@pytest.mark.parametrize("text", ["AU01", "AU1", "au_1", "1", "01", "Au 1", "au-01", 1])
def test_every_common_spelling_is_understood(text: str | int) -> None:
    unit = parse_action_unit(text)
    assert (unit.number, unit.code, unit.name) == (1, "AU01", "Inner brow raiser")


@pytest.mark.parametrize("text", ["AU3", "", "smile", "AU", "-1", "AU012x", 99])
def test_an_unknown_unit_is_named_in_the_error(text: str | int) -> None:
    with pytest.raises(ValueError, match=f"{str(text)!r}.*action unit"):
        parse_action_unit(text)


def test_the_vocabulary_covers_both_papers_and_the_peers() -> None:
    wanted = {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43, 45}
    assert {unit.number for unit in ACTION_UNITS} == wanted
    assert all(unit.name and unit.muscle for unit in ACTION_UNITS)
    assert list(ACTION_UNITS) == sorted(ACTION_UNITS)


def test_the_published_sets_keep_their_order() -> None:
    assert BP4D.numbers == (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
    assert DISFA_8.numbers == (1, 2, 4, 6, 9, 12, 25, 26)
    assert DISFA_12.numbers == (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
    assert set(BP4D) | set(DISFA_12) <= set(RENDERED)


@pytest.mark.parametrize("action_units", ACTION_UNIT_SETS.values())
def test_a_set_reads_back_what_it_prints(action_units: ActionUnitSet) -> None:
    assert ActionUnitSet.parse(str(action_units)) == action_units
    assert ActionUnitSet.parse(action_units.numbers) == action_units


def test_sets_are_read_by_name_and_by_list() -> None:
    assert ActionUnitSet.parse("DISFA_8") is DISFA_8
    assert ActionUnitSet.parse("12, au6;AU25").codes == ("AU12", "AU06", "AU25")


def test_a_set_refuses_repeats_and_nothing() -> None:
    with pytest.raises(ValueError, match="AU12 more than once"):
        ActionUnitSet.parse("12 AU12")
    with pytest.raises(ValueError, match="NO_ACTION_UNITS"):
        ActionUnitSet.parse("")
    with pytest.raises(ValueError, match="at least one"):
        ActionUnitSet.parse([])
    with pytest.raises(ValueError, match="at least one"):
        ActionUnitSet(())


def test_the_empty_set_is_asked_for_by_name() -> None:
    assert ActionUnitSet.parse("none") is ActionUnitSet.parse(" None ") is NO_ACTION_UNITS
    assert str(NO_ACTION_UNITS) == "none"
    assert len(NO_ACTION_UNITS) == 0
    assert NO_ACTION_UNITS.codes == ()
    assert 12 not in NO_ACTION_UNITS
    assert pickle.loads(pickle.dumps(NO_ACTION_UNITS)) == NO_ACTION_UNITS  # as it goes to worker processes


def test_columns_are_found_by_any_spelling() -> None:
    assert DISFA_8.index("au_4") == 2
    assert 26 in DISFA_8
    assert "AU10" not in DISFA_8
    assert "nonsense" not in DISFA_8
    with pytest.raises(ValueError, match="AU10 .*AU01,AU02"):
        DISFA_8.index(10)
