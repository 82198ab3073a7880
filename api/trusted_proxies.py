"""Who a request comes from when a proxy of ours brought it."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from core.setting_values import networks_of

Address = IPv4Address | IPv6Address

# An element of X-Forwarded-For: an address as it is, or with a port, IPv6 then in brackets; perhaps quoted, as RFC 7239
# writes what has colons. A zone ("%eth0") means something on the proxy only.
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_IPV6_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%[^\]]*)?\](?::[0-9]{1,5})?")


class TrustedProxies:
    """Networks whose word about the client's address is believed; without any, the peer is the client."""

    def __init__(self, networks: str) -> None:
        """networks: "10.0.0.0/8, 192.168.1.7". Raises ValueError.

        Only X-Forwarded-For is read: a second header (Forwarded, X-Real-IP) could say something else, and a proxy that
        writes one passes the client's other one on.
        """
        self._networks = networks_of(networks)

    def seen_through(self, request: web.Request) -> web.Request:
        """The request as if the client had sent it itself."""
        if not self._networks or not self._trusts(_address(request.remote)):
            return request
        client = self._client(request)
        return request if client is None else request.clone(remote=str(client))

    def _client(self, request: web.Request) -> Address | None:
        # Each proxy appends whom it heard; what stands left of a stranger is the stranger's word.
        heard = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for text in reversed([element for element in heard if element.strip()]):
            address = _forwarded(text.strip())
            if address is None or not self._trusts(address):
                return address
        return None

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _forwarded(text: str) -> Address | None:
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    written = _IPV4_WITH_PORT.fullmatch(text) or _IPV6_IN_BRACKETS.fullmatch(text)
    return _address(written[1] if written else text.partition("%")[0])


def _address(text: str | None) -> Address | None:
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        # A zone means something on one machine only, and may be any bytes.
        return None
    # A socket for both families tells of IPv4 peers in IPv6's words.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
