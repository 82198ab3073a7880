"""Run a command that gets a signal when its parent dies: leash.py SIGNAL PARENT IDENTITY COMMAND…

A program of its own (standard library only, run with -I -S) because code between fork and exec of a
process with threads may deadlock. IDENTITY is "self", "user:UID:GID" or "namespace".
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def main() -> None:
    signal_number, parent, identity, *command = sys.argv[1:]
    os.chdir(os.environ.pop("LEASH_DIRECTORY", "/"))
    become(identity)
    # After the change of user, which clears it; exec keeps it.
    die_with_parent(int(signal_number))
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execve(command[0], command, os.environ)  # noqa: S606 - there is nothing for a shell to read


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
    import ctypes

    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for file, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        Path("/proc/self", file).write_text(text, encoding="ascii")


def die_with_parent(signal_number: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


if __name__ == "__main__":
    main()
