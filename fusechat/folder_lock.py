"""One run at a time in an output folder: the second is told so, and touches nothing."""

import fcntl
from pathlib import Path
from typing import IO

from fusechat.errors import BadInput

LOCK_NAME = ".lock"


def lock_folder(folder: Path, *, doing: str) -> IO[str]:
    """Makes the folder where it is missing, and takes it until the returned file is closed or the process ends.

    doing: what runs do there, for the message. BadInput where the folder cannot be written or
    another run has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("w", encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{folder}: cannot be written: {error.strerror}; choose another --output-dir"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise BadInput(
            f"{folder}: another run is {doing} here; wait for it, or choose another --output-dir"
        ) from None
    except OSError as error:
        lock.close()
        raise BadInput(f"{folder}: cannot be locked: {error.strerror}; use a disk with file locks") from None
    return lock
