"""The weights that ship: what they say of a photograph and of rendered strangers."""

from pathlib import Path

import pytest
import skimage.data

from facskit.action_units import RENDERED
from facskit.datasets.packed import packaged_faces
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.inference.recognizer import Recognizer
from facskit.models.checkpoints import load_checkpoint
from facskit.models.weight_files import find_weights, packaged_weights


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_checkpoint("packaged", device="cpu")


def test_the_smiling_astronaut_smiles(recognizer: Recognizer) -> None:
    (face,) = recognizer.recognize(skimage.data.astronaut())  # type: ignore[no-untyped-call]
    present = {unit.code for unit in face.present}
    assert "AU12" in present
    assert present & {"AU06", "AU25"}
    assert not present & {"AU04", "AU15", "AU26"}


def test_the_file_is_small_and_free() -> None:
    path = find_weights("packaged")
    assert path.stat().st_size < 10e6
    _, info = load_checkpoint(path)
    assert info.action_units == RENDERED
    assert info.licence == "Apache-2.0"


def test_every_packaged_file_has_a_card() -> None:
    for name, path in packaged_weights().items():
        assert path.with_suffix(".md").read_text().startswith(f"# {name}: ")


def test_rendered_strangers_are_read_as_the_card_says(tmp_path: Path) -> None:
    _, info = load_checkpoint(find_weights("packaged"))
    strangers = packaged_faces().subject_names
    assert not set(strangers) & set(info.provenance["training_subjects"])
    report = evaluate(find_weights("packaged"), "packaged", tmp_path, device="cpu")
    scores = report.to_dict()
    assert sum(count >= 20 for count in scores["support"].values()) >= 12
    # The card's number.
    assert scores["macro"]["f1"]["mean"] == pytest.approx(0.519, abs=0.005)
    assert scores["per_au"]["f1"]["AU12"] > 2 * scores["baselines_f1"]["all_positive"]["AU12"]
    assert not any("NOT INDEPENDENT" in note for note in scores["notes"])
