import hashlib
import json
from importlib import resources

import numpy as np
import pytest

from facskit.datasets.folds import (
    Fold,
    FoldsConfig,
    GivenSplit,
    HoldOut,
    LeaveOneSubjectOut,
    PublishedFolds,
    SubjectFolds,
    make_folds,
    published_parts,
)
from facskit.errors import DatasetError


def people(count: int, rows_each: int = 3) -> list[str]:
    return [f"s{subject:02d}" for _ in range(rows_each) for subject in range(count)]


def published(dataset: str) -> list[str]:
    return [name for part in published_parts(dataset) for name in part]


@pytest.mark.parametrize(
    ("dataset", "sizes", "pin"),
    [
        ("bp4d", [14, 14, 13], "8d47bbc9328e1e98"),
        ("bp4d-plus", [35, 35, 35, 35], "97a943fca54bfcbf"),
        ("disfa", [9, 9, 9], "908152fe2841eafc"),
    ],
)
def test_published_parts_are_pinned(dataset: str, sizes: list[int], pin: str) -> None:
    parts = published_parts(dataset)
    assert [len(part) for part in parts] == sizes
    assert len(set(published(dataset))) == sum(sizes), "a subject is in two parts"
    text = "|".join(" ".join(part) for part in parts)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == pin


def test_published_subjects_are_all_there_are() -> None:
    bp4d = [f"F{n:03d}" for n in range(1, 24)] + [f"M{n:03d}" for n in range(1, 19)]
    plus = [f"F{n:03d}" for n in range(1, 83)] + [f"M{n:03d}" for n in range(1, 59)]
    disfa = [f"SN{n:03d}" for n in range(1, 33) if n not in {14, 15, 19, 20, 22}]
    assert sorted(published("bp4d")) == bp4d
    assert sorted(published("bp4d-plus")) == plus
    assert sorted(published("disfa")) == disfa
    listed = json.loads(resources.files("facskit.datasets").joinpath("published_folds.json").read_text())
    assert set(listed) == {"bp4d", "bp4d-plus", "disfa"}


@pytest.mark.parametrize(
    ("config", "subjects", "count"),
    [
        (SubjectFolds(k=3), people(10), 3),
        (SubjectFolds(k=4, validation_fraction=0.0), people(9), 4),
        (SubjectFolds(k=2, seed=7), people(4), 2),
        (HoldOut(), people(10), 1),
        (HoldOut(test_fraction=0.0), people(10), 1),
        (LeaveOneSubjectOut(), people(6), 6),
        (PublishedFolds(dataset="bp4d"), published("bp4d") * 2, 3),
        (PublishedFolds(dataset="bp4d-plus"), published("bp4d-plus"), 4),
        (PublishedFolds(dataset="disfa", validation_fraction=0.0), published("disfa") * 3, 3),
    ],
)
def test_folds_are_disjoint_complete_and_repeatable(config: FoldsConfig, subjects: list[str], count: int) -> None:
    folds = make_folds(config, subjects)
    again = make_folds(config, np.array(subjects, dtype=object))
    assert [fold.index for fold in folds] == list(range(1, count + 1))
    for fold, same in zip(folds, again, strict=True):
        parts = (fold.train, fold.validation, fold.test)
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(subjects)))
        names = [{subjects[row] for row in rows} for rows in parts]
        assert names == [set(fold.train_subjects), set(fold.validation_subjects), set(fold.test_subjects)]
        assert not names[0] & names[1]
        assert not names[0] & names[2]
        assert not names[1] & names[2]
        assert (len(names[1]) > 0) == (config.validation_fraction > 0)
        fold.check(subjects)
        for rows, others in zip(parts, (same.train, same.validation, same.test), strict=True):
            np.testing.assert_array_equal(rows, others)
    if not isinstance(config, HoldOut):
        tested = np.concatenate([fold.test for fold in folds])
        assert sorted(tested.tolist()) == list(range(len(subjects))), "cross-validation tests each row once"


def test_fold_k_tests_on_published_part_k() -> None:
    folds = make_folds(PublishedFolds(dataset="bp4d"), published("bp4d"))
    for fold, part in zip(folds, published_parts("bp4d"), strict=True):
        assert fold.test_subjects == part


def test_seeds_differ_and_do_not_depend_on_row_order() -> None:
    subjects = people(12)
    first = make_folds(SubjectFolds(k=3, seed=0), subjects)
    turned = make_folds(SubjectFolds(k=3, seed=0), subjects[::-1])
    other = make_folds(SubjectFolds(k=3, seed=1), subjects)
    assert [fold.test_subjects for fold in first] == [fold.test_subjects for fold in turned]
    assert [fold.test_subjects for fold in first] != [fold.test_subjects for fold in other]


def test_validation_is_a_share_of_the_training_subjects() -> None:
    (fold,) = make_folds(HoldOut(test_fraction=0.25, validation_fraction=0.2), people(40))
    assert (len(fold.train_subjects), len(fold.validation_subjects), len(fold.test_subjects)) == (24, 6, 10)


def test_rare_units_are_spread() -> None:
    subjects = people(12)
    labels = np.zeros((len(subjects), 1), np.int8)
    labels[[name in {"s00", "s01", "s02"} for name in subjects]] = 1
    for seed in range(5):
        folds = make_folds(SubjectFolds(k=3, seed=seed), subjects, labels)
        assert [int(labels[fold.test].sum()) for fold in folds] == [3, 3, 3]


@pytest.mark.parametrize(
    ("config", "subjects", "message"),
    [
        (SubjectFolds(k=4), people(3), r"found 3 subject\(s\), expected at least 4 to make 4 parts"),
        (LeaveOneSubjectOut(), people(1), r"found 1 subject\(s\), expected at least 2"),
        (HoldOut(), people(1), r"expected at least 2 for test_fraction 0\.2"),
        (SubjectFolds(k=2), people(2), r"found 1 subject\(s\) to divide, expected at least 2 for validation_fraction"),
        (PublishedFolds(dataset="disfa"), ["SN001", "SN014"], "subject SN014 is in none of the 3 published parts"),
        (PublishedFolds(dataset="disfa"), ["SN001", "SN002"], "none of part 2 of disfa is in the manifest"),
    ],
)
def test_too_few_or_unknown_people(config: FoldsConfig, subjects: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        make_folds(config, subjects)


SPLITS = ["train", "train", "train", "validation", "test", "test"]


def test_a_given_split_is_one_fold() -> None:
    subjects = ["c", "a", "a", "b", "e", "d"]
    (found,) = make_folds(GivenSplit(), subjects, splits=SPLITS)
    assert (found.index, found.train.tolist(), found.validation.tolist()) == (1, [0, 1, 2], [3])
    assert found.test.tolist() == [4, 5]
    assert (found.train_subjects, found.validation_subjects) == (("a", "c"), ("b",))
    assert found.test_subjects == ("d", "e")
    found.check(subjects)


def test_a_split_without_validation_may_set_people_aside() -> None:
    subjects = [f"p{row // 2}" for row in range(20)]
    splits = ["train"] * 14 + ["test"] * 6
    (plain,) = make_folds(GivenSplit(), subjects, splits=splits)
    assert plain.validation.size == 0
    (aside,) = make_folds(GivenSplit(validation_fraction=0.3), subjects, splits=splits)
    assert (len(aside.validation_subjects), len(aside.train_subjects)) == (2, 5)
    assert aside.test.tolist() == plain.test.tolist()
    aside.check(subjects)
    (again,) = make_folds(GivenSplit(validation_fraction=0.3), subjects, splits=splits)
    assert again.validation_subjects == aside.validation_subjects


def test_the_validation_part_may_be_the_test() -> None:
    splits = ["validation" if split == "test" else split for split in SPLITS]
    (found,) = make_folds(GivenSplit(test_part="validation"), list("abcdef"), splits=splits)
    assert (found.test.tolist(), found.validation.tolist()) == ([3, 4, 5], [])
    with pytest.raises(DatasetError, match="test_part is validation, but the column split has a test part"):
        make_folds(GivenSplit(test_part="validation"), list("abcdef"), splits=SPLITS)


def test_a_split_must_be_there_whole_and_exclusive() -> None:
    with pytest.raises(DatasetError, match="folds of the kind 'given' need the manifest's column split; it has none"):
        make_folds(GivenSplit(), ["a", "b"])
    for cell in (None, "dev"):
        with pytest.raises(DatasetError, match=rf"row 2, column split: found {cell!r}; expected train, validation or"):
            make_folds(GivenSplit(), ["a", "b"], splits=["train", cell])
    with pytest.raises(DatasetError, match="subject a in both its train and its test part"):
        make_folds(GivenSplit(), ["a", "a"], splits=["train", "test"])
    with pytest.raises(DatasetError, match="the column split has no test part, which folds.test_part tests on"):
        make_folds(GivenSplit(), ["a", "b"], splits=["train", "validation"])


def fold(**changes: object) -> Fold:
    parts: dict[str, object] = {
        "index": 2,
        "train": np.array([0, 1]),
        "validation": np.array([2]),
        "test": np.array([3]),
        "train_subjects": ("a", "b"),
        "validation_subjects": ("c",),
        "test_subjects": ("d",),
    }
    return Fold(**(parts | changes))  # type: ignore[arg-type]


def test_a_person_on_both_sides_is_refused() -> None:
    with pytest.raises(DatasetError, match="fold 2 has subject b in both its train and its test part; expected one"):
        fold(test_subjects=("b", "d"))
    with pytest.raises(DatasetError, match="fold 2 has row 3 in both its validation and its test part; expected one"):
        fold(test=np.array([2, 3]))
    with pytest.raises(DatasetError, match="nothing to train on"):
        fold(train=np.array([], np.int64), train_subjects=())


def test_a_fold_is_checked_against_the_manifest() -> None:
    fold().check(["a", "b", "c", "d"])
    with pytest.raises(DatasetError, match="rows of subject d in its train part"):
        fold().check(["a", "d", "c", "d"])
    with pytest.raises(DatasetError, match="covers 4 rows of 5"):
        fold().check(["a", "b", "c", "d", "d"])


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_fractions_have_limits(fraction: float) -> None:
    with pytest.raises(ValueError, match="validation_fraction must be from 0 to below 1, got"):
        SubjectFolds(validation_fraction=fraction)
    with pytest.raises(ValueError, match="k must be at least 2, got 1"):
        SubjectFolds(k=1)
    with pytest.raises(ValueError, match=r"test_fraction \+ validation_fraction must be below 1, got 0.5 \+ 0.6 = 1.1"):
        HoldOut(test_fraction=0.5, validation_fraction=0.6)
