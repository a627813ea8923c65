"""The same person under the names of two corpora."""

import pytest

from facskit.datasets.origin import UNNAMED, DataOrigin
from facskit.datasets.people import (
    KnownPeople,
    People,
    find_known_people,
    people_of_weights,
    person_key,
    refuse_known_people,
)
from facskit.errors import DatasetError


def test_people_of_disfa_plus_are_those_of_disfa() -> None:
    assert person_key("disfa-plus", "SN001") == person_key("disfa", "sn1") == "disfa:SN001"
    assert person_key("DISFA+", "SN001") == "disfa:SN001"


def test_bp4d_and_bp4d_plus_are_different_people() -> None:
    assert person_key("bp4d", "F001") != person_key("bp4d-plus", "F001")
    assert person_key("BP4D+", "f1") == person_key("bp4d-plus", "2F01") == "bp4d-plus:F001"


def test_names_of_other_corpora_stay_as_they_are() -> None:
    assert person_key("raf-db", "train_00001") == "raf-db:train_00001"


def _people(corpus: str | None, *subjects: str) -> People:
    return People(corpus=corpus, subjects=subjects)


def test_people_of_one_corpus_are_found_in_another() -> None:
    disfa = _people("disfa", "SN001", "SN002", "SN010")
    found = find_known_people([disfa], _people("disfa-plus", "SN010", "SN1", "SN099"))
    assert found == KnownPeople(certain=("SN010", "SN1"), doubtful=())
    for strangers in (_people("bp4d", "SN001"), _people("raf-db", "SN002")):
        assert find_known_people([disfa], strangers).all == ()


@pytest.mark.parametrize(("one", "other"), [(None, "bp4d"), ("bp4d", None), (None, None), (UNNAMED, UNNAMED)])
def test_an_unknown_corpus_leaves_doubt_not_a_refusal(one: str | None, other: str | None) -> None:
    trained, tested = [_people(one, "S001", "S002")], _people(other, "S002", "S003")
    assert find_known_people(trained, tested) == KnownPeople(certain=(), doubtful=("S002",))
    refuse_known_people(trained, tested)


def test_rendered_people_are_the_same_wherever_they_appear() -> None:
    trained = [_people(None, "R2026-00001", "R2026-00002", "S1")]
    for corpus in (None, UNNAMED, "curated faces"):
        found = find_known_people(trained, _people(corpus, "R2026-00002", "R2025-00001", "S1"))
        assert found == KnownPeople(certain=("R2026-00002",), doubtful=("S1",))
    with pytest.raises(DatasetError, match=r"1 of 2 people .* trained on: R2026-00001; leave them out"):
        refuse_known_people(trained, _people(None, "R2026-00001", "R1-00001"))


def test_known_people_are_refused_by_name() -> None:
    with pytest.raises(DatasetError, match=r"1 of 2 people .* trained on \(people of disfa-plus are in disfa"):
        refuse_known_people([_people("disfa", "SN001", "SN002")], _people("disfa-plus", "SN001", "SN077"))
    names = [f"F{number:03d}" for number in range(1, 8)]
    with pytest.raises(DatasetError, match=r"7 of 7 .*F001, F002, F003, F004, F005 and 2 more; leave them out"):
        refuse_known_people([_people("bp4d", *names)], _people("bp4d", *names))


def test_weights_tell_whom_they_know() -> None:
    stamp = DataOrigin(corpus="bp4d").stamp()
    provenance: dict[str, object] = {
        "training_subjects": ["F001"],
        "data": stamp,
        "initial_training_subjects": ["SN001"],
        "initial_people": [{"corpus": "disfa", "subjects": ["SN001"]}],
    }
    own, start = people_of_weights(provenance)
    assert own == People(corpus="bp4d", subjects=("F001",))
    assert start == People(corpus="disfa", subjects=("SN001",))
    del provenance["initial_people"]
    assert people_of_weights(provenance)[1] == People(corpus=None, subjects=("SN001",))
    assert people_of_weights({"training_subjects": "unknown: the file doesn't say", "corpus": "BP4D"}) == ()
    assert people_of_weights({"training_subjects": ["F001"], "corpus": "BP4D+"})[0].corpus == "bp4d-plus"
    assert people_of_weights({"training_subjects": ["S1"], "data": ""})[0].corpus is None
    unnamed = DataOrigin(corpus=UNNAMED).stamp()
    assert people_of_weights({"training_subjects": ["S1"], "data": unnamed})[0].corpus is None
