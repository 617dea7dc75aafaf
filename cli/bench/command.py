"""`seaice bench`: how fast the steps run on this machine, in lines that can be repeated.

Each step has a module of its name with a function ``measure``.
"""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ..console import say
from .timing import machine


class Step(StrEnum):
    """What can be measured."""

    prepare = "prepare"
    sampler = "sampler"
    layouts = "layouts"
    train = "train"
    predict = "predict"
    score = "score"


def bench(
    step: Annotated[Step, typer.Argument(help="What to measure")],
    path: Annotated[
        Path, typer.Argument(help="Folder of scenes (prepare, predict), or a store")
    ],
    rounds: Annotated[int, typer.Option(min=1, help="How often to measure")] = 7,
) -> None:
    """Measure how fast a step runs on this machine.

    Prints the median and the range of several rounds after one that does not count. With
    `prepare`, the reference path is what training codes do at every start (open with
    xarray, stack, take every tenth pixel), and the floor is reading and inflating alone.
    With `sampler`, the reference is re-created and the limit is copying the same windows;
    `layouts` writes the corner of a scene in several chunk layouts beside the store.

    Example: seaice bench sampler store.zarr
    """
    import_module(f".{step}", __package__).measure(path, rounds)
    say(f"machine: {machine()}")
