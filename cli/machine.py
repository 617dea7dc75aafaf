"""What this process may use of the machine."""

import os


def n_cores() -> int:
    """Return the cores that this process may run on: a job's share, not the whole node."""
    return len(os.sched_getaffinity(0))
