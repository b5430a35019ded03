"""The address of a client that asks through proxies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client_address(peer: str, forwarded_for: str, trusted_proxies: Sequence[Network]) -> str:
    """The address of the client, as far as the trusted proxies know it.

    Args:
        peer: the address of the connection.
        forwarded_for: the header X-Forwarded-For. Each proxy adds the address that has asked it.
        trusted_proxies: the networks of proxies whose entries are believed.

    Returns:
        The last address that is no trusted proxy. An entry that is not an address ends the search, because whoever
        wrote what is before it is unknown.

    >>> from ipaddress import ip_network
    >>> client_address("10.0.0.7", "8.8.8.8, 203.0.113.9, 10.0.0.1", [ip_network("10.0.0.0/8")])
    '203.0.113.9'
    """
    client = peer
    for entry in [peer, *reversed(forwarded_for.split(","))] if trusted_proxies and forwarded_for else ():
        address = _parse(entry.strip())
        if address is None:
            break
        client = str(address)
        if not any(address in network for network in trusted_proxies):
            break
    return client


@lru_cache(maxsize=1024)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address of an entry, which some proxies write with a port; None if it is not one."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
