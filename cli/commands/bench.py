"""`seaice bench`: the speed of each step on this machine.

Each step has a module of its name in ``bench/``, with a function ``measure``.
"""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ..bench.timing import machine
from ..console import say


class Step(StrEnum):
    """What can be measured."""

    prepare = "prepare"
    sampler = "sampler"
    layouts = "layouts"
    others = "others"
    train = "train"
    predict = "predict"
    score = "score"
    ingest = "ingest"
    growth = "growth"


def bench(
    step: Annotated[Step, typer.Argument(help="What to measure")],
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder of netCDF files (prepare, predict, growth), of a product "
            "(ingest), or a store"
        ),
    ],
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds")] = 7,
) -> None:
    """Measure how fast a step runs on this machine.

    Prints the median and the range of several rounds after a warm-up round. `prepare` is
    compared with what the official code does at every start (open with xarray, stack, pick
    every tenth pixel), and with reading and inflating alone; `sampler` is compared with the
    official code re-created, and with copying the same windows. `layouts` writes the corner
    of a scene in several chunk layouts, in the folder of the store. `others` reads the same
    windows with zarr-python, xarray, xbatcher, tensorstore and a `DataLoader`. `ingest`
    takes a folder of `seaice synth --version products`, and is compared with reading the
    pixels alone. `growth` copies small raw files, and shows time and memory for 12, 120
    and 1200 scenes.

    Example: seaice bench sampler store.zarr
    """
    import_module(f"..bench.{step}", __package__).measure(path, rounds)
    say(f"machine: {machine()}")
