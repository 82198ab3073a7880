from __future__ import annotations

import errno
import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that Linux takes for outgoing connections, so that a busy client does not take a
# server's port while it restarts.
PORTS = range(20_000, 32_000)
TRIES = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nobody listens there. Without SO_REUSEPORT, so that another stack's API counts too.

    Raises OSError when we may not listen there, or the host is not of this machine.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # Linux lets two sockets bind with SO_REUSEADDR; listening is what conflicts.
            probe.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    """A port of the host that was free a moment ago: another program may take it before the caller does.

    Raises OSError when we may not listen there, or the host is not of this machine.
    """
    for _ in range(TRIES):
        port = random.choice(PORTS)  # noqa: S311 - spread, not secrecy
        if is_free(port, host):
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop - 1}")
