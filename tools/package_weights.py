"""Turn a finished run of `recipes/rendered/compact.yaml` into the weights that ship, and measure them for their card.

```text
facskit synthesize data/train --subjects 1000 --frames 24 --seed 1 --profile mixed --size 192
facskit train recipes/rendered/compact.yaml --out runs/compact
python tools/package_weights.py runs/compact
```
"""

import sys
from dataclasses import replace
from pathlib import Path

from facskit.experiments.analysis.weight_scores import evaluate
from facskit.models.checkpoints import load_checkpoint, save_checkpoint

ASSET = Path("facskit/assets/weights/rendered-compact.safetensors")


def main(run: Path) -> None:
    """Copy the run's weights, and score them on the packaged faces, whose people they have never met."""
    model, info = load_checkpoint(run / "weights.safetensors")
    provenance = {
        **info.provenance,
        "training_data": "24,000 rendered faces of 1,000 people: facskit synthesize, seed 1, profile mixed, 192 px",
        "limits": "research demonstration, not a certified FACS coder",
    }
    save_checkpoint(ASSET, model, replace(info, provenance=provenance))
    report = evaluate(ASSET, "packaged", run / "on_packaged_faces")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB\n\n{report.to_markdown()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
