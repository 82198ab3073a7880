"""Listening sockets: opened by the process that listens, or by the one that started it and keeps them.

A socket that a supervisor keeps belongs to all processes that it starts with it. When one of them stops, the connections
that wait in the kernel's queue are the others' or its successor's, and none is lost.
"""

from __future__ import annotations

import os
import socket
from typing import Any

BACKLOG = 1024
# systemd's protocol (sd_listen_fds): the file descriptors from here on, LISTEN_FDS many, for the process LISTEN_PID.
FIRST_DESCRIPTOR = 3


def inherited_sockets() -> list[socket.socket]:
    """The listening sockets that this process was started with, as systemd and `./banca up` pass them; perhaps none."""
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    if process != str(os.getpid()):
        return []
    sockets = [socket.socket(fileno=FIRST_DESCRIPTOR + place) for place in range(int(count))]
    for each in sockets:
        each.set_inheritable(False)
    return sockets


def open_sockets(host: str, port: int, *, reuse_port: bool) -> list[socket.socket]:
    """A listening socket for every address of the host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            # The first address chooses the port where it is 0.
            chosen = opened[0].getsockname()[1] if opened else port
            opened.append(_listening(family, (address[0], chosen, *address[2:]), reuse_port=reuse_port))
    except OSError:
        for each in opened:
            each.close()
        raise
    return opened


def _listening(family: int, address: tuple[Any, ...], *, reuse_port: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
