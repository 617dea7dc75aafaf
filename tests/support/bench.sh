#!/usr/bin/env bash
# Measure the speed of all steps on this machine, with synthetic scenes; run by `make bench`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

seaice synth "$folder/raw" --scenes 12 --size 5000 >&2
seaice bench prepare "$folder/raw" --rounds 3
python "$(dirname "$0")/pack.py" "$folder/raw" "$folder/packed"
seaice bench prepare "$folder/packed" --rounds 3
rm -r "$folder/packed"
# Raw files: 40 m, four times the pixels of the same area.
seaice synth "$folder/raw40" --version raw --scenes 6 --size 2500 >&2
seaice bench prepare "$folder/raw40" --rounds 3
rm -r "$folder/raw40"
seaice prepare "$folder/raw" "$folder/store.zarr" >&2
seaice bench sampler "$folder/store.zarr"
# A store with only the channels of the official implementation: half the bytes per pixel.
seaice prepare "$folder/raw" "$folder/store16.zarr" --channels \
    sar,geometry,btemp_18_7h,btemp_18_7v,btemp_36_5h,btemp_36_5v,u10m,v10m,t2m,tcwv,tclw,month,latitude,longitude >&2
seaice bench sampler "$folder/store16.zarr"
seaice bench others "$folder/store.zarr"
seaice prepare "$folder/raw" "$folder/chunked.zarr" --codec zstd >&2
seaice bench others "$folder/chunked.zarr"
ADAPTERS="${ADAPTERS:-.venv-adapters}"
if [ -x "$ADAPTERS/bin/python" ]; then  # made by `make adapters`
    "$ADAPTERS/bin/python" "$(dirname "$0")/bench_torchgeo.py" "$folder/store.zarr"
fi
PYTHONPATH="$(dirname "$0")/.." python -m support.bench_remote "$folder/raw"
seaice bench train "$folder/store.zarr" --rounds 3
seaice bench predict "$folder/raw" --rounds 3
seaice bench score "$folder/store.zarr" --rounds 3
seaice synth "$folder/products" --version products --scenes 2 --size 5250 >&2
for scene in "$folder"/products/*/; do  # one is a zip, one a folder
    seaice bench ingest "$scene" --rounds 3
done
seaice synth "$folder/small" --version raw --scenes 12 --size 320 >&2
seaice bench growth "$folder/small" --rounds 1
