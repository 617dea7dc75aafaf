#!/usr/bin/env bash
# Make synthetic scenes and run the study of seaice_model/STUDY.md on them, in the folder
# $STUDY; run by `make study`. Run it again after an interruption: what is done is kept.
# 400 scenes need 7 GB of disk while they are made, 2.5 GB afterwards. To use scenes that
# exist: STORE=store.zarr TRUTH=raw-truth (both of --version raw, divided as below), and
# TWINS=twins.zarr, or TWINS= to leave out the row that needs them. ROWS=... runs other
# rows, without further comparisons; REGIONS= leaves out the runs more of the loss of regions,
# RATIO1= the study of Model 2.
set -euo pipefail
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
study="${STUDY:-study}" n="${SCENES:-400}" size="${SIZE:-1300x2500}" runs="${RUNS:-8}"
jobs="${JOBS:-2}"
batch=20
mkdir -p "$study"
store="${STORE:-$study/store.zarr}" truth="${TRUTH:-$study/raw-truth}"
twins="${TWINS-$study/twins.zarr}"
step() { printf '\n$ %s\n' "$*" >&2; "$@"; }

# Every fifth synthetic scene is a test scene. Raw files do not say so.
numbers() { seq 2 5 $((n - 1)); }
ids() {
    python -c "from seaice_data.synthetic.plan import plan_scenes
for plan in plan_scenes($1, ($2), seed=0):
    if plan.is_test: print(plan.id)"
}

# make_store STORE FOLDER SCENES SIZE OPTIONS...: scenes in batches, with their hidden truth.
make_store() {
    local store="$1" raw="$2" n="$3" size="$4" first
    shift 4
    for first in $(seq 0 "$batch" $((n - 1))); do
        [ -e "$raw-done/$first" ] && continue
        step seaice synth "$raw" --version raw --scenes $((n - first < batch ? n - first : batch)) \
            --first "$first" --size "$size" --truth --jobs "$jobs"
        step seaice prepare "$raw" "$store" "$@" --jobs "$jobs"
        rm -r "$raw"
        mkdir -p "$raw-done"
        touch "$raw-done/$first"
    done
}

# divide STORE SCENES SIZE
divide() {
    ids "$2" "${3/x/, }" >"$study/test-scenes.txt"
    step seaice split "$1" --test "$study/test-scenes.txt"
}

# Twins of the test scenes: the same scenes as Sentinel-1 products, denoised as ESA does.
make_twin() {
    local number="$1" folder products
    [ -e "$study/own-done/$number" ] && return
    products="$study/products-$number"
    step seaice synth "$products" --version products --scenes 1 --first "$number" \
        --size "$size" --jobs 1
    folder="$(ls -d "$products"/*/)"
    step seaice ingest "$folder"*.SAFE* --amsr2 "${folder}amsr2" --era5 "${folder}era5.nc" \
        --chart "$(ls "$folder"cis_*.gpkg "$folder"dmi_*.gpkg 2>/dev/null)" \
        --coast "${folder}coast.gpkg" --denoise esa --out "$study/own"
    rm -r "$products"
    mkdir -p "$study/own-done"
    touch "$study/own-done/$number"
}

if [ -z "${STORE:-}" ]; then
    make_store "$store" "$study/raw" "$n" "$size" --ratio 10
    divide "$store" "$n" "$size"
fi
if [ -n "$twins" ] && [ -z "${TWINS:-}" ] && [ ! -e "$study/own-done/all" ]; then
    export -f make_twin step
    export study size
    numbers | xargs -P "$jobs" -I{} bash -euo pipefail -c 'make_twin {}'
    step seaice prepare "$study/own" "$twins" --ratio 10 --jobs "$jobs"
    rm -r "$study/own"
    touch "$study/own-done/all"
fi

rows=model1,model3-model9,best,sensors,regions,small
python -c "import monai" 2>/dev/null && rows="$rows,swin"
options=(--truth "$truth")
if [ -n "$twins" ]; then
    rows="$rows,denoising"
    options+=(--twins "$twins")
fi
if [ -z "${ROWS:-}" ]; then
    # Does four times the training make up for the patches that lack a sensor?
    options+=(
        --variant "dropped-long: n_epochs=1200, drop_amsr2=0.3, drop_era5=0.1, fill=mask"
        --variant "dropped-long-without-amsr2: of=dropped-long, without=[amsr2]"
        --variant "dropped-long-without-era5: of=dropped-long, without=[era5]"
    )
    for name in dropped dropped-mask dropped-constant dropped-long; do
        options+=(--compare "$name-without-amsr2,model4")
        options+=(--compare "$name-without-era5,model5")
    done
fi
step seaice study "$store" --presets "${ROWS:-$rows}" "${options[@]}" --quick \
    --runs "$runs" --jobs "$jobs" --device cpu --out "$study/rows"

# Three times as many runs, for a difference that is smaller than its spread.
if [ -n "${REGIONS-1}" ]; then
    mkdir -p "$study/regions/runs"
    for name in model1 region-area; do
        [ -e "$study/regions/runs/$name" ] ||
            cp -r "$study/rows/runs/$name" "$study/regions/runs/"
    done
    step seaice study "$store" --presets model1,region-area --truth "$truth" --quick \
        --runs $((3 * runs)) --jobs "$jobs" --device cpu --out "$study/regions"
fi

# Model 2 sees every pixel of 80 m: fewer and smaller scenes, in a study of their own.
[ -n "${RATIO1-1}" ] || exit 0
small="$study/small"
cat >"$study/ratio1.toml" <<'TOML'
ratio = 1
codec = "zstd"
channels = [
    "hh", "hv", "incidence_angle", "distance_map", "btemp_18_7h", "btemp_18_7v",
    "btemp_36_5h", "btemp_36_5v", "u10m", "v10m", "t2m", "tcwv", "tclw", "month",
    "latitude", "longitude",
]
TOML
make_store "$small-10.zarr" "$small-10-raw" 100 1000 --ratio 10
make_store "$small-1.zarr" "$small-1-raw" 100 1000 --recipe "$study/ratio1.toml"
divide "$small-10.zarr" 100 1000
divide "$small-1.zarr" 100 1000
step seaice study "$small-10.zarr" "$small-1.zarr" --presets model1,model2 --quick \
    --runs "$runs" --jobs "$jobs" --device cpu --out "$study/ratio1"
