"""Run a command that gets a signal when its parent dies.

Usage: leash.py SIGNAL PARENT IDENTITY COMMAND…, where IDENTITY is "self", "user:UID:GID" or "namespace".
A program of its own, of the standard library only (run with -I -S), because code between the fork and the
exec of a process with threads may deadlock.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def main() -> None:
    # ctypes is imported by now: another user may not reach this interpreter's files.
    signal_number, parent, identity, *command = sys.argv[1:]
    pass_listeners([int(part) for part in os.environ.pop("LEASH_LISTENERS", "").split(",") if part])
    os.chdir(os.environ.pop("LEASH_DIRECTORY", "/"))
    become(identity)
    # After the change of user, which clears it; exec keeps it.
    die_with_parent(int(signal_number))
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execve(command[0], command, os.environ)


def pass_listeners(listeners: list[int]) -> None:
    """Number the sockets as systemd does (sd_listen_fds): from 3 on, and say for which process they are."""
    if not listeners:
        return
    # First out of the way of the numbers that they get.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 100) for each in listeners]
    for each in listeners:
        os.close(each)
    for place, each in enumerate(moved):
        os.dup2(each, 3 + place)
    os.environ |= {"LISTEN_FDS": str(len(moved)), "LISTEN_PID": str(os.getpid())}


def become(identity: str) -> None:
    if identity == "namespace":
        become_nobody_inside()
    elif identity.startswith("user:"):
        uid, gid = (int(part) for part in identity.split(":")[1:])
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def become_nobody_inside() -> None:
    """Enter a user namespace: whoever we are outside, `nobody` inside; files keep their owner outside."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for file, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        Path("/proc/self", file).write_text(text, encoding="ascii")


def die_with_parent(signal_number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


if __name__ == "__main__":
    main()
