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

# An own scene: from what a user has of it to its map. `predict` warns, because noise was
# removed from it in another way than from the scenes that the network was trained on.
step seaice synth "$demo/products" --version products --scenes 1 --size 1200 --seed 8 \
    --overwrite
inputs="$demo/products/20180509T212653_dmi"
step seaice ingest "$inputs" --amsr2 "$inputs/amsr2" --era5 "$inputs/era5.nc" \
    --chart "$(ls "$inputs"/dmi_*.gpkg)" --coast "$inputs/coast.gpkg" --out "$demo/own" --overwrite
step seaice predict "$demo/own" --run "$demo/run" --out "$demo/own-maps" --overwrite
step seaice score "$demo/own-maps" --truth "$demo/own"

printf '\nThe plots are in %s and %s:\n' "$demo/maps" "$demo/own-maps"
ls "$demo"/maps/index.html "$demo"/maps/*.png "$demo"/own-maps/*.png "$demo"/run/*.png
