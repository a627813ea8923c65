"""Turn a network of the study of causal intervention into the attentive weights that ship.

```text
python -m studies.causal_intervention
python tools/package_attention.py runs/studies/causal_intervention/disfa/CIU-seed-1
```
"""

import sys
from dataclasses import replace
from pathlib import Path

from facskit.models.checkpoints import load_checkpoint, save_checkpoint

ASSET = Path("facskit/assets/weights/rendered-attention.safetensors")


def main(run: Path) -> None:
    """Copy the run's unbiased network, matrices halved in precision, and say on what it was trained."""
    model, info = load_checkpoint(run / "weights.safetensors")
    provenance = {
        **info.provenance,
        "training_data": "1,600 rendered faces of 40 people, DISFA's joint frequencies: facskit synthesize, seed 103",
        "limits": "small pictures, few people, eight action units: for looking at attention maps, not for measuring",
    }
    save_checkpoint(ASSET, model, replace(info, provenance=provenance), "float16")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
