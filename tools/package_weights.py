"""Turn a finished run of `recipes/rendered/compact.yaml` into the weights that ship: calibrated, decided, measured.

Probabilities and thresholds are fitted on faces drawn otherwise than those of the training (folds by action unit
instead of by tension, skin at four times the detail, light of places alone, other sizes, other people), found and cut
out as a user's photographs are: decisions must hold beyond the renderer that taught them. One shift is read off
photographs, and the card says so.

```text
facskit synthesize data/train --subjects 2100 --frames 24 --seed 1 --profile mixed --size 192 \
    --head packaged --head ICT-FaceKit/
facskit train recipes/rendered/compact.yaml --out runs/compact
facskit synthesize data/shifted --subjects 120 --frames 24 --seed 77 --profile disfa --folds units --light places \
    --skins makehuman/data/skins/ --size 256 --head packaged --head ICT-FaceKit/
python tools/package_weights.py runs/compact data/shifted/manifest.parquet
```
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int8
from rich.progress import track
from scipy.special import expit

from facskit.datasets.manifest import Manifest, read_manifest
from facskit.evaluation.calibration import fit_calibration, logits_of, precise_thresholds
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.inference.recognizer import Recognizer
from facskit.inference.torch_network import TorchNetwork
from facskit.models.calibration import Calibration
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from facskit.models.deployed import write_onnx

ASSET = Path("facskit/assets/weights/rendered-compact.safetensors")
LEAST_PRECISION, LEAST_RECALL = 0.8, 0.2
ON_PHOTOGRAPHS = {"AU06": 2.38}
"""Shifts in logits where 24 open photographs say that people mean less by an action unit than the renderer: who smiles
with raised cheeks gets 0.07 to 0.78 there, and who doesn't at most 0.02 but for one."""


def main(run: Path, shifted: Path) -> None:
    """Calibrate and copy the run's weights, and score them on the packaged faces, whose people they have never met."""
    model, info = load_checkpoint(run / "weights.safetensors")
    manifest = read_manifest(shifted, info.action_units)
    labels, probabilities = _recognized(Recognizer(TorchNetwork(model, info, "cpu")), manifest)
    calibration = fit_calibration(labels, logits_of(probabilities))
    calibrated = expit(calibration.logits(logits_of(probabilities)))
    _, precise = precise_thresholds(labels, calibrated, LEAST_PRECISION, LEAST_RECALL)
    # What is never precise is for research alone, and stays as it was learned: calibrated to how rare it is here,
    # it would count as present at 0.04.
    shifts = ON_PHOTOGRAPHS | {
        unit.code: 0.0 for unit, enough in zip(info.action_units, precise, strict=True) if not enough
    }
    calibration = _shifted(calibration, info, shifts)
    calibrated = expit(calibration.logits(logits_of(probabilities)))
    thresholds, _ = precise_thresholds(labels, calibrated, LEAST_PRECISION, LEAST_RECALL)
    thresholds = tuple(
        0.5 if unit.code in ON_PHOTOGRAPHS else threshold
        for unit, threshold in zip(info.action_units, thresholds, strict=True)
    )
    info = replace(info, calibration=calibration, thresholds=thresholds)
    research = [unit.code for unit, enough in zip(info.action_units, precise, strict=True) if not enough]
    info = replace(info, provenance=_provenance(info, manifest, research))
    save_checkpoint(ASSET, model, info)
    write_onnx(ASSET.with_suffix(".onnx"), model, info)
    for unit, threshold, rate in zip(info.action_units, thresholds, (labels == 1).mean(0), strict=True):
        column = info.action_units.index(unit)
        said = calibrated[:, column] >= threshold
        precision, recall = (labels[said, column] == 1).mean(), said[labels[:, column] == 1].mean()
        print(f"{unit.code} threshold {threshold:.2f} precision {precision:.2f} recall {recall:.2f} rate {rate:.3f}")
    report = evaluate(ASSET, "packaged", run / "on_packaged_faces")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB; research: {' '.join(research)}\n\n{report.to_markdown()}")


def _shifted(calibration: Calibration, info: CheckpointInfo, shifts: Mapping[str, float]) -> Calibration:
    """Replace what was fitted of some action units by a shift alone."""
    temperatures, biases = list(calibration.temperatures), list(calibration.biases)
    for code, shift in shifts.items():
        place = info.action_units.index(code)
        temperatures[place], biases[place] = 1.0, shift
    return Calibration(temperatures=tuple(temperatures), biases=tuple(biases))


def _recognized(
    recognizer: Recognizer, manifest: Manifest
) -> tuple[Int8[np.ndarray, "faces aus"], Float[np.ndarray, "faces aus"]]:
    """Return labels and probabilities of the faces that are found."""
    rows, told = [], []
    for row in track(range(len(manifest)), "recognising faces"):
        for face in recognizer.recognize(manifest.image(row))[:1]:
            rows.append(row)
            told.append(face.probabilities)
    return manifest.labels[rows], np.stack(told).astype(np.float64)


def _provenance(info: CheckpointInfo, manifest: Manifest, research: list[str]) -> dict[str, object]:
    people = len(manifest.subject_names)
    return {
        **info.provenance,
        "manifest": "data/train/manifest.parquet",  # wherever it lay
        "training_data": "50,400 rendered faces of 2,100 people, two heads: facskit synthesize, seed 1, mixed, 192 px",
        "calibrated_on": f"{len(manifest):,} rendered faces of {people} other people, drawn otherwise: seed 77, disfa",
        "chosen_on_photographs": sorted(ON_PHOTOGRAPHS),
        "research": research,
        "limits": "research demonstration, not a certified FACS coder",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
