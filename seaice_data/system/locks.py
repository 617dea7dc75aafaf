"""Locks on open files and folders, which a process lets go when it dies.

They are advice: they keep out who asks, too. Systems and file systems without locks let
everybody hold them.
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
        disks want a file that is open for writing.
    alone
        Whether to keep out everybody else, or only those who want to be alone.
    wait
        Whether to wait until others let go.

    Raises
    ------
    BlockingIOError
        If another process holds a lock that excludes this one, and `wait` is false.
    """
    if os.name != "posix":
        return False
    import fcntl  # there is none elsewhere

    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno == errno.EACCES:  # how some network disks say that it is held
            raise BlockingIOError(error.errno, error.strerror) from error
        # Disks without locks have many ways to say so, even error numbers without a name.
        log.info("the file system has no locks: %s", error)
        return False
    return True


def try_lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder for this process alone; false if another one holds it."""
    try:
        lock(descriptor, wait=wait)
    except BlockingIOError:
        return False
    return True
