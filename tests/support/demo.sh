#!/usr/bin/env bash
# Run all steps on synthetic scenes, in the folder $DEMO; run by `make demo`.
set -euo pipefail
demo="${DEMO:-demo}"
mkdir -p "$demo"
step() { printf '\n$ %s\n' "$*" >&2; "$@"; }

step seaice synth "$demo/raw" --scenes 24 --size 1200 --overwrite
step seaice prepare "$demo/raw" "$demo/store.zarr" --ratio 10 --overwrite
step seaice info "$demo/store.zarr"
step seaice train "$demo/store.zarr" --run "$demo/run" --preset tiny --overwrite
step seaice predict "$demo/store.zarr" --run "$demo/run" --out "$demo/maps" --overwrite
step seaice score "$demo/maps" --truth "$demo/store.zarr"

printf '\nThe plots are in %s:\n' "$demo/maps"
ls "$demo"/maps/index.html "$demo"/maps/*.png "$demo"/run/*.png
