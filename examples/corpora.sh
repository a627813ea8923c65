#!/usr/bin/env bash
# Every corpus from its owners' folders to a table of results, on small trees of rendered faces in the exact layouts.
#
#   examples/corpora.sh [FOLDER]
#
# For your own copy of a corpus leave out step 1 and every option of step 4: `facskit doctor`, `facskit prepare` and
# `facskit cross-validate` with the recipe are all it takes. Here the recipe's network is shrunk to a toy and trained
# for one epoch on a few pictures, so the scores mean nothing; that everything fits together is what the script shows.
set -euo pipefail
out=${1:-runs/corpora}
facskit=$(command -v facskit || echo "$(dirname "$0")/../.venv/bin/facskit")
recipes=$(dirname "$0")/../recipes
toy=(--model.dim 32 --model.depth 1 --model.heads 2 --initial-weights "" --data.loader.batch-size 8
     --data.loader.workers 0 --training.epochs 1 --optimizer.warmup-epochs 0 --runtime.precision 32)

run() {  # corpus, command, recipe, way to prepare it
    local corpus=$1 command=$2 recipe=$3 paper=$4
    echo "== $corpus"
    "$facskit" example-tree "$corpus" "$out/trees/$corpus"                                        # 1. what its owners send
    "$facskit" doctor "$out/trees/$corpus" || true                                                # 2. is it all there?
    "$facskit" prepare "$corpus" "$out/trees/$corpus" -o "$out/prepared/$corpus" $paper           # 3. crops and labels
    "$facskit" "$command" "$recipes/$recipe" --out "$out/results/$corpus" \
        --data.manifest "$out/prepared/$corpus/manifest.parquet" "${toy[@]}" "${@:5}"             # 4. train and test
}

run bp4d       cross-validate fmae_iat/bp4d_fmae_iat.yaml      "--as fmae-iat" --evaluation.seeds 0
run bp4d-plus  cross-validate fmae_iat/bp4d_plus_fmae_iat.yaml "--as fmae-iat" --evaluation.seeds 0
run disfa      cross-validate fmae_iat/disfa_fmae_iat.yaml     "--as fmae-iat" --evaluation.seeds 0
run disfa-plus cross-validate ../examples/disfa_plus.yaml          "--crop box"
run raf-db     train          expression/raf_db_fmae.yaml      ""
run affectnet  train          expression/affectnet8_fmae.yaml  ""
