"""Signals by which others ask a process to end."""

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return those to which this process reacts: SIGTERM and SIGHUP (its terminal closed).

    Ignored signals stay ignored: `nohup` starts commands that survive their terminal.
    """
    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = (getattr(signal, name) for name in names if hasattr(signal, name))
    return tuple(n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN)
