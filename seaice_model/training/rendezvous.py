"""Where the processes of one training meet: join the others, or say which are missing.

PyTorch waits for missing processes in native code, during which Python handles no signals:
SIGTERM would be ignored for half an hour. Here a thread waits, so that signals act at once.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from torch import distributed

from seaice_model.errors import RunError

log = logging.getLogger(__name__)

WAIT_S = 300
"""Seconds to wait for the other processes, if ``SEAICE_WAIT_S`` does not say otherwise."""

_SAY_AFTER_S = 15.0
_POLL_S = 0.1
_GRACE_S = 5.0
_THREAD = "rendezvous"


@dataclass(kw_only=True, slots=True)
class Rendezvous:
    """A place where processes meet, and which have come so far."""

    host: str
    """Machine of the first process, or of torchrun."""

    port: int
    """Port of the store through which they find each other."""

    rank: int
    """Number of this process."""

    count: int
    """How many are expected."""

    wait_s: float = WAIT_S
    """Seconds to wait for all of them."""

    is_served: bool = False
    """Whether torchrun keeps the store; if not, the first process does."""

    attempt: str = "0"
    """How often torchrun has started the processes again."""

    missing: tuple[int, ...] | None = field(default=None, init=False)
    """Ranks that have not come yet; None as long as the store cannot be reached."""

    reason: str = field(default="no answer", init=False)
    """Why the store cannot be reached."""

    @property
    def place(self) -> str:
        """Return where they meet."""
        return f"{self.host}:{self.port}"

    def join(self, backend: str) -> None:
        """Join the others in a process group of PyTorch.

        Raises
        ------
        RunError
            If some do not come in time, or the place cannot be used.
        """
        deadline = time.monotonic() + self.wait_s

        def meet() -> None:
            store = self._meet(deadline)
            distributed.init_process_group(
                backend, store=store, rank=self.rank, world_size=self.count
            )
            self._wait_for_all(store, deadline)
            # NCCL connects GPUs through the store at their first sum, which may be later.
            store.set_timeout(distributed.default_pg_timeout)

        try:
            _in_thread(meet, self.wait_s + _GRACE_S)
        except TimeoutError:
            raise self._late() from None
        except (distributed.DistError, ValueError) as error:
            self.reason = str(error).partition("\n")[0]
            raise self._late() from error

    def _meet(self, deadline: float) -> Any:
        """Return the store of all processes, once all of them have come."""
        is_host = self.rank == 0 and not self.is_served
        if not is_host:
            self._find_store(deadline)
        left = timedelta(seconds=max(deadline - time.monotonic(), 1.0))
        served = distributed.TCPStore(  # type: ignore[attr-defined]
            self.host, self.port, self.count, is_host, left, wait_for_workers=False
        )
        # torchrun may keep its store when it starts processes again.
        prefix = f"seaice/{self.attempt}"
        store = distributed.PrefixStore(prefix, served)  # type: ignore[attr-defined]
        store.set(_key("came", self.rank), "")
        says_at = time.monotonic() + _SAY_AFTER_S
        while missing := self._without(store, "came"):
            self.missing = missing
            if time.monotonic() > says_at:
                log.warning("waiting for %s at %s", _ranks(missing), self.place)
                says_at = deadline + _GRACE_S
            _pause(deadline)
        self.missing = ()
        return store

    def _wait_for_all(self, store: Any, deadline: float) -> None:
        """Wait until all have joined: those that join last still ask the store.

        The first process keeps it, and may end at once: it goes on last.
        """
        store.set(_key("joined", self.rank), "")
        while self._without(store, "joined"):
            _pause(deadline)
        store.set(_key("goes on", self.rank), "")
        while self.rank == 0 and not self.is_served and self._without(store, "goes on"):
            _pause(deadline)

    def _without(self, store: Any, step: str) -> tuple[int, ...]:
        """Return the ranks that have not said that they took a step."""
        ranks = range(self.count)
        if store.check([_key(step, rank) for rank in ranks]):
            return ()
        return tuple(rank for rank in ranks if not store.check([_key(step, rank)]))

    def _find_store(self, deadline: float) -> None:
        """Wait until something answers at the place of the store."""
        while True:
            try:
                with socket.create_connection((self.host, self.port), timeout=1):
                    return
            except OSError as error:
                self.reason = error.strerror or str(error)
            _pause(deadline)

    def _late(self) -> RunError:
        after = f"after {self.wait_s:.0f} s"
        if self.missing:
            message = (
                f"{_ranks(self.missing)} of {self.count} processes did not come to "
                f"{self.place!r}, {after}"
            )
        else:
            other = "torchrun" if self.is_served else "the process of rank 0"
            message = (
                f"rank {self.rank} of {self.count} processes cannot meet {other} at "
                f"{self.place!r}: {self.reason}"
            )
        return RunError(
            message,
            hint="start all processes with the same MASTER_ADDR and MASTER_PORT, or with "
            "torchrun; set SEAICE_WAIT_S to the seconds to wait; to train alone, unset "
            "WORLD_SIZE",
        )


def is_waiting() -> bool:
    """Return whether a thread is still waiting for other processes."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def _in_thread(call: Callable[[], None], wait_s: float) -> None:
    """Run a call that blocks signals in a thread; TimeoutError if it takes longer."""
    done: Future[None] = Future()

    def work() -> None:
        try:
            call()
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised by `result`
            done.set_exception(error)

    threading.Thread(target=work, name=_THREAD, daemon=True).start()
    done.result(wait_s)


def _pause(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError
    time.sleep(_POLL_S)


def _key(step: str, rank: int) -> str:
    return f"{step} {rank}"


def _ranks(ranks: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, ranks[:8]))
    return f"rank {shown}" + (f" and {len(ranks) - 8} more" if len(ranks) > 8 else "")
