"""What commands share: options, how values are read, exit codes."""

import math
import re
from itertools import chain
from typing import Annotated

import typer

from seaice_data.system.process import n_cores
from seaice_data.texts import shortened

STOPPED = 75
"""Exit code of a training that a signal stopped: run it again with --resume."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON")]
Jobs = Annotated[int, typer.Option(min=0, help="Processes; 0: one per core")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Part = Annotated[
    str,
    typer.Option(
        metavar="I/N", help="Take share I of N, from 1, as a task of a SLURM array"
    ),
]
AcceptMasks = Annotated[
    bool,
    typer.Option(
        "--accept-masks",
        help="Accept scenes in which over 1 % of the labelled pixels have no SAR",
    ),
]

_MOST_SEEDS = 10_000


def above_zero(value: float | None) -> float | None:
    """Reject a value that is not finite and above 0."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not finite and above 0")
    return value


def n_processes(jobs: int, store: str = "") -> int:
    """Return how many processes to start: as many as asked for, or one per core.

    A store in the memory of this process cannot be reached from others.
    """
    return 1 if store.startswith("memory:") else jobs or n_cores()


def read_part(text: str) -> tuple[int, int]:
    """Read ``3/8``."""
    found = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None:
        raise typer.BadParameter(
            f"{shortened(text)!r} is not a part: write 3/8 for the third of eight"
        )
    return int(found[1]), int(found[2])


def read_seeds(text: str) -> list[int]:
    """Read ``0-4`` or ``0,2,5-7``."""
    ranges = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"\s*([0-9]{1,19})(?:\s*-\s*([0-9]{1,19}))?\s*", part)
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise typer.BadParameter(
                f"cannot read {shortened(part)!r} as seeds; write 0-4 or 0,2,5"
            )
        ranges.append(range(int(found[1]), int(found[2] or found[1]) + 1))
    # `len` fails on a range of more than 63 bits.
    if (n_seeds := sum(seeds.stop - seeds.start for seeds in ranges)) > _MOST_SEEDS:
        raise typer.BadParameter(f"{n_seeds} seeds are more than {_MOST_SEEDS}")
    numbers = list(chain(*ranges))
    if len(set(numbers)) < len(numbers):
        raise typer.BadParameter(f"a seed is named twice in {shortened(text)!r}")
    return numbers
