"""Attack all targets and print what was found: ``python -m fuzz.runner --n 3000``."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .targets import TARGETS, make_base

_TESTS = Path(__file__).parents[1]


@dataclass
class Report:
    """Exit codes and findings of all variants."""

    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Number of variants by target and exit code."""

    findings: list[str] = field(default_factory=list)
    """Descriptions of what must not happen, with the commands that repeat it."""

    def add(self, result: dict[str, Any]) -> None:
        """Add the result of a variant, as a worker reports it."""
        for code in result["codes"]:
            self.codes[result["target"], code] += 1
        if result["found"]:
            lines = "\n    ".join(part.strip() for part in result["found"])
            command = " ".join(repr(word)[:80] for word in result["commands"][0])
            self.findings.append(
                f"{result['target']} {result['number']}: {result['what']!r:.200}\n"
                f"  {command}\n    {lines}"
            )

    def lines(self) -> list[str]:
        """Return findings, and the number of variants by exit code."""
        counts = [
            f"{target}: {n} ended with {c}" for (target, c), n in sorted(self.codes.items())
        ]
        return [*self.findings, *counts, f"{len(self.findings)} findings"]


def attack(
    base: Path, numbers: range, *, seed: int, targets: Sequence[str] = tuple(TARGETS)
) -> Report:
    """Attack targets with variants of these numbers; a killed worker is a finding."""
    report = Report()
    first = numbers.start
    while first < numbers.stop:
        last = {"number": first, "target": targets[first % len(targets)]}
        reader, writer = os.pipe()
        with tempfile.TemporaryFile() as log, os.fdopen(reader) as pipe:
            worker = _start(base, seed, range(first, numbers.stop), targets, writer, log)
            os.close(writer)
            for line in pipe:
                last = json.loads(line)
                if "codes" in last:
                    report.add(last)
            first = int(last["number"]) + 1
            if code := worker.wait():
                log.seek(0)
                end = log.read()[-1500:].decode("utf-8", "replace")
                reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                report.findings.append(
                    f"{last['target']} {last['number']}: worker ended: {reason}\n{end}"
                )
    return report


def _start(
    base: Path, seed: int, numbers: range, targets: Sequence[str], writer: int, log: Any
) -> "subprocess.Popen[bytes]":
    arguments = map(str, (base, seed, numbers.start, numbers.stop, *targets))
    return subprocess.Popen(
        [sys.executable, "-m", "fuzz.worker", *arguments],
        env={
            **os.environ,
            "FUZZ_PIPE": str(writer),
            "PYTHONPATH": f"{_TESTS.parent}{os.pathsep}{_TESTS}",
            "MPLCONFIGDIR": str(base / "caches"),
            "TORCHINDUCTOR_CACHE_DIR": str(base / "caches"),
        },
        cwd=_TESTS.parent,
        pass_fds=[writer],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def main() -> None:
    """Attack, print findings and counts, and exit with 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--n", type=int, default=3000, help="number of variants of all targets together"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first variant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    targets = tuple(given.target or TARGETS)
    report = Report()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        base = make_base(Path(folder, "base"))
        step = -(-given.n // given.jobs)
        end = given.first + given.n
        shares = [range(k, min(k + step, end)) for k in range(given.first, end, step)]
        work = partial(attack, base, seed=given.seed, targets=targets)
        for part in pool.map(work, shares):
            report.codes += part.codes
            report.findings += part.findings
    print("\n".join(report.lines()))
    sys.exit(bool(report.findings))


if __name__ == "__main__":
    main()
