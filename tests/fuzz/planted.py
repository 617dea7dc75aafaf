"""Commands with planted faults, which the fuzzer must find."""

import random
import resource
import signal
import time
from pathlib import Path

from .targets import Target


def misbehave(fault: str) -> int:
    """Do something wrong, in place of a command; the limits of the worker are lowered."""
    if fault == "write outside":
        Path("../outside/theirs.txt").write_text("x")
    elif fault == "replace outside":
        Path("../outside/mine.txt").rename("../outside/theirs.txt")
    elif fault == "work for ever":
        used = resource.getrusage(resource.RUSAGE_SELF)
        sooner = int(used.ru_utime + used.ru_stime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (sooner, resource.RLIM_INFINITY))
        while True:
            pass
    elif fault == "wait for ever":
        signal.alarm(1)
        time.sleep(3600)
    elif fault == "take all memory":
        return len(bytearray(2**36))
    elif fault == "raise":
        raise KeyError("month")
    elif fault == "print escapes":
        print("\x1b[31m")  # noqa: T201
    return 0


FAULTS = {
    "write outside": "open ",
    "replace outside": "os.rename ",
    "work for ever": "SIGXCPU",
    "wait for ever": "SIGALRM",
    "take all memory": "MemoryError",
    "raise": "KeyError: 'month'",
    "print escapes": "prints '\\x1b'",
}
"""Words of the finding that the fuzzer must report, by fault."""


def _target(fault: str) -> Target:
    def attack(_folder: Path, _rng: random.Random) -> tuple[str, list[list[str]]]:
        return fault, [[fault]]

    return Target(fault, (), attack, run=misbehave)


PLANTED = {fault: _target(fault) for fault in FAULTS}
"""Targets whose command has a fault, by fault."""
