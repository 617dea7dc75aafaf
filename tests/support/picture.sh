#!/usr/bin/env bash
# Make docs/pictures/map.png, the picture of the README and the site; run by `make picture`.
# $RUN is a trained run at ratio 10, or a folder of runs that decide together.
set -euo pipefail
work="${WORK:-$(mktemp -d)}"
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
: "${RUN:?name a trained run: make picture RUN=run}"
here="$(cd "$(dirname "$0")" && pwd)"

# A test scene: networks trained on synthetic scenes of this seed have not seen it.
seaice synth "$work/raw" --version raw --scenes 1 --first 277 --size 1300x2500
seaice prepare "$work/raw" "$work/store.zarr" --ratio 10
seaice predict "$work/store.zarr" --run "$RUN" --split all --out "$work/maps" --no-png
python "$here/picture.py" "$work/store.zarr" "$work"/maps/*.nc docs/pictures/map.png
