"""The same person under the names of two corpora."""

import pytest

from facskit.datasets.origin import UNNAMED, DataOrigin
from facskit.datasets.people import People, people_of_weights, person_key, refuse_shared_people, shared_people
from facskit.errors import DatasetError


def test_people_of_disfa_plus_are_those_of_disfa() -> None:
    assert person_key("disfa-plus", "SN001") == person_key("disfa", "sn1") == "disfa:SN001"
    assert person_key("DISFA+", "SN001") == "disfa:SN001"


def test_bp4d_and_bp4d_plus_are_different_people() -> None:
    assert person_key("bp4d", "F001") != person_key("bp4d-plus", "F001")
    assert person_key("BP4D+", "f1") == person_key("bp4d-plus", "2F01") == "bp4d-plus:F001"


def test_names_of_other_corpora_stay_as_they_are() -> None:
    assert person_key("raf-db", "train_00001") == "raf-db:train_00001"


def test_shared_people_are_pairs_of_names() -> None:
    a = People(corpus="disfa", subjects=("SN001", "SN002", "SN010"))
    b = People(corpus="disfa-plus", subjects=("SN010", "SN1", "SN099"))
    assert shared_people(a, b) == (("SN001", "SN1"), ("SN010", "SN010"))
    assert shared_people(a, People(corpus="bp4d", subjects=("SN001",))) == ()


def test_an_unknown_corpus_leaves_doubt_not_a_refusal() -> None:
    assert refuse_shared_people(None, ["S001", "S002"], "bp4d", ["S002"]) == ("S002",)
    assert refuse_shared_people("bp4d", ["F001"], "bp4d-plus", ["F001"]) == ()


def test_two_manifests_without_a_corpus_leave_doubt_too() -> None:
    unnamed = DataOrigin(corpus=UNNAMED)
    for origin in (unnamed, unnamed.stamp()):
        assert refuse_shared_people(origin, ["S001", "S002"], unnamed, ["S002"]) == ("S002",)
    a, b = (People(corpus=UNNAMED, subjects=(name, "S002")) for name in ("S001", "S003"))
    assert shared_people(a, b) == (("S002", "S002"),)


def test_known_people_are_refused_by_name() -> None:
    origin = DataOrigin(corpus="disfa-plus")
    stamp = DataOrigin(corpus="disfa", decisions={"threshold": "2"}).stamp()
    with pytest.raises(DatasetError, match=r"1 of 2 people .* trained on \(people of disfa-plus are in disfa"):
        refuse_shared_people(stamp, ["SN001", "SN002"], origin, ["SN001", "SN077"])
    names = [f"F{number:03d}" for number in range(1, 8)]
    with pytest.raises(DatasetError, match=r"7 of 7 .*F001, F002, F003, F004, F005 and 2 more; leave them out"):
        refuse_shared_people("bp4d", names, "bp4d", names)


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
