"""A server that goes away, without stopping one that others use: the proxy of the fault rounds."""

from loadtests.faults.proxy import Proxy

__all__ = ["Proxy"]
