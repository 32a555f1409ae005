"""Where nodes and stores are: what leaves this machine leaves it under TLS, to a server that proves who it is.

An address of this machine itself may be plain HTTP: a devnet, a daemon, the near end of a tunnel.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ledger.errors import InsecureEndpoint


def verify_rpc(rpc: str) -> None:
    """Return if an endpoint's URL is https, or on this machine. Raises: InsecureEndpoint."""
    parts = urlsplit(rpc)
    if parts.scheme != "https" and not is_local(parts.hostname or ""):
        raise InsecureEndpoint(address=rpc)


def verify_ipfs(address: str) -> None:
    """Return if a daemon's multiaddr is https, a socket, or on this machine. Raises: InsecureEndpoint."""
    parts = address.split("/")
    is_socket, host = parts[1:2] == ["unix"], parts[2] if len(parts) > 2 else ""
    if not is_socket and "https" not in parts[3:] and not is_local(host):
        raise InsecureEndpoint(address=address)


def is_local(host: str) -> bool:
    """Return whether a host's name or address is always this machine's (RFC 1122, 4291, 6761)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_distrust(problem: Exception) -> bool:
    """Return whether a connection failed because of the server's certificate."""
    return "certificate verify failed" in str(problem)


def describe_distrust(problem: Exception) -> str:
    """Return why a certificate was not taken, from the words of whatever library refused it."""
    found = re.search(r"certificate verify failed: (.+?)(?: \(_ssl|$)", str(problem))
    return found[1] if found else str(problem)[:200]
