"""Become a server that dies with its parent: `python launch.py PARENT_PID PROGRAM ARGUMENT…`.

A program of its own, because asking for the death signal between fork and exec inside the
parent is not safe while the parent has other threads. It imports nothing of this project.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask to be killed when the parent ends (Linux), then become the program."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent:  # it ended before the request was in force
            sys.exit("The parent has ended.")
    os.execv(command[0], command)  # noqa: S606 -- a fixed program without a shell


if __name__ == "__main__":
    main()
