"""Scores of weights on people whom they know."""

from functools import partial
from pathlib import Path

import pytest

from facskit.action_units import ActionUnitSet
from facskit.datasets.manifest import write_manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.faces.alignment import WholeImage
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.models.compact_network import CompactConfig


@pytest.mark.parametrize("faces", ["packaged", "synthesized"])
def test_rendered_people_are_known_again(faces: str, tmp_path: Path) -> None:
    """Neither the packaged faces nor what `facskit synthesize` writes says which corpus it is."""
    manifest, weights = packaged_faces(), tmp_path / "trained.safetensors"
    everybody = manifest.subject_names
    config = CompactConfig(image_size=32, widths=(4, 8), depths=(1, 1), places=4, place_dim=8)
    info = CheckpointInfo(
        model=config,
        action_units=ActionUnitSet.parse("AU12"),
        crop=WholeImage(size=32),
        normalization="per-image",
        thresholds=(0.5,),
        licence="Apache-2.0",
        provenance={"training_subjects": list(everybody[:46]), "manifest": "packaged", "data": ""},
    )
    save_checkpoint(weights, build_model(config, 1), info)
    if faces == "synthesized":
        faces = str(write_manifest(manifest, tmp_path / "manifest.parquet"))
    scores = partial(evaluate, weights, faces, tmp_path / "scores", device="cpu")
    with pytest.raises(DatasetError, match=f"46 of 48 people to test on were trained on: {everybody[0]}"):
        scores()
    report = scores(known_people="leave-out")
    assert "46 people whom the weights were trained on are left out; 60 images remain." in report.to_markdown()
    tested = Predictions.load(tmp_path / "scores" / "predictions.parquet")
    assert set(tested.subjects.tolist()) == set(everybody[46:])
