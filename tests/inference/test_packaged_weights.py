"""The weights that ship: what they say of a photograph, of rendered strangers, and how long they take."""

import numpy as np
import pytest
import skimage.data

from facskit.action_units import RENDERED
from facskit.datasets.loaders import FaceDataset, LoaderConfig, Preparation, eval_loader
from facskit.datasets.packed import packaged_faces
from facskit.evaluation.predicting import PredictionSource, predict
from facskit.inference.recognizer import Recognizer, find_weights
from facskit.models.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_checkpoint("packaged", device="cpu")


def test_the_smiling_astronaut_smiles(recognizer: Recognizer) -> None:
    (face,) = recognizer.recognize(skimage.data.astronaut())
    present = {unit.code for unit in face.present}
    assert "AU12" in present
    assert present & {"AU06", "AU25"}
    assert not present & {"AU04", "AU15", "AU26"}


def test_the_file_is_small_and_learned_from_other_people_than_the_packaged_faces() -> None:
    path = find_weights("packaged")
    assert path.stat().st_size < 10e6
    _, info = load_checkpoint(path)
    assert info.action_units == RENDERED
    assert info.licence == "Apache-2.0"


def test_rendered_strangers_are_read_well() -> None:
    model, info = load_checkpoint(find_weights("packaged"))
    faces = packaged_faces().select(np.arange(0, 1440, 4))
    dataset = FaceDataset(faces, Preparation(recipe=info.crop, normalization=info.normalization))
    batches = eval_loader(dataset, LoaderConfig(batch_size=60)).batches(0)
    names = [faces.image_name(row) for row in range(len(faces))]
    scores = predict(model, batches, PredictionSource(subjects=faces.subjects.tolist(), names=names)).scores()
    assert scores.macro("roc_auc").value > 0.85
    assert scores.roc_auc[faces.action_units.index("AU12")] > 0.9
