"""Locks on open files and folders, which end with the process that took them.

They are advisory: only processes that also take the lock are kept out. Systems and file
systems without locks grant them to everybody.
"""

import errno
import logging
import os

log = logging.getLogger(__name__)


def lock(descriptor: int, *, alone: bool = True, wait: bool = False) -> bool:
    """Lock an open file or folder until it is closed; false where there are no locks.

    Parameters
    ----------
    descriptor
        The open file or folder. One opened to be read can be locked on local disks; network
        disks need a file that is open for writing.
    alone
        Whether to keep out everybody, or only processes that must be alone.
    wait
        Whether to wait until others release it.

    Raises
    ------
    BlockingIOError
        If another process has a lock that excludes this one, and `wait` is false.
    """
    if os.name != "posix":
        return False
    import fcntl  # only on such systems

    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno == errno.EACCES:  # what some network disks raise if it is taken
            raise BlockingIOError(error.errno, error.strerror) from error
        # Disks without locks report that in many ways, even by errors without a name.
        log.info("the file system has no locks: %s", error)
        return False
    return True


def try_lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder for this process alone; false if another one has it."""
    try:
        lock(descriptor, wait=wait)
    except BlockingIOError:
        return False
    return True
