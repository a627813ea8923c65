"""Turn a finished run of `recipes/rendered/pretrain_tiny.yaml` into the encoder that ships.

```text
facskit synthesize data/train --subjects 1000 --frames 24 --seed 1 --profile mixed --size 192
facskit pretrain recipes/rendered/pretrain_tiny.yaml --out runs/pretrain_tiny
python tools/package_encoder.py runs/pretrain_tiny
```
"""

import sys
from dataclasses import replace
from pathlib import Path

import polars as pl

from facskit.models.checkpoints import load_encoder, save_checkpoint

ASSET = Path("facskit/assets/weights/rendered-encoder.safetensors")


def main(run: Path) -> None:
    """Copy the run's encoder, matrices halved in precision, and say on whom it was trained."""
    model, info = load_encoder(run / "encoder.safetensors")
    people = pl.read_parquet(info.provenance["images"], columns=["subject"])["subject"].unique().sort().to_list()
    provenance = {
        "training_subjects": people,  # all of the corpus, those whose images were only watched included
        **info.provenance,
        "training_data": "24,000 rendered faces of 1,000 people: facskit synthesize, seed 1, profile mixed, 192 px",
        "limits": "features of rendered faces for demonstrations and tests; it has no head and recognises nothing",
    }
    save_checkpoint(ASSET, model, replace(info, provenance=provenance), "float16")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
