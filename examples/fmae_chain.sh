#!/usr/bin/env bash
# The whole chain of FMAE in one go: render -> curate -> pre-train -> fine-tune -> evaluate.
#
#   examples/fmae_chain.sh [FOLDER] [RECIPE OPTIONS...]
#
# Two cores take under 15 minutes; a GPU is used if there is one. The folder can be deleted afterwards. A step that was
# interrupted goes on where it stopped when the script is started again. The sizes are those of a demonstration: what
# pre-training is worth, and from where on, is measured in docs/studies/pretraining.md.
set -euo pipefail
out=${1:-runs/fmae_chain}
[ $# -gt 0 ] && shift
facskit=$(command -v facskit || echo "$(dirname "$0")/../.venv/bin/facskit")
recipes=$(dirname "$0")

echo "== 1. Faces: 100 invented people, 24 pictures each (your own collections take this place)"
"$facskit" synthesize "$out/faces" --subjects 100 --frames 24 --seed 11 --profile mixed --size 192

echo "== 2. Curate: every image is decoded, checked, cropped to its face, freed of duplicates and packed"
"$facskit" curate "$out/faces/images" -o "$out/curated" --crop five-point --size 112 --min-side 112

echo "== 3. Pre-train: a masked autoencoder learns from the pictures alone"
"$facskit" pretrain "$recipes/fmae_chain_pretrain.yaml" --out "$out/pretrained" --data.images "$out/curated" "$@"

echo "== 4. Fine-tune: action units, from the pre-trained encoder; 15 people are held out"
"$facskit" train "$recipes/fmae_chain_finetune.yaml" --out "$out/finetuned" \
    --data.manifest "$out/faces/manifest.parquet" --initial-weights "$out/pretrained/encoder.safetensors" "$@"

echo "== 5. Evaluate: on the packaged faces of 48 other people"
"$facskit" evaluate "$out/finetuned" packaged --out "$out/evaluated"

echo "== 6. Use it"
"$facskit" recognize "$out/faces/images/S001/0000.jpg" --weights "$out/finetuned"
