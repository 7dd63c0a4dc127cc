"""Which listener of a Gateway a route is attached to, and where it can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

_PROTOCOLS = ("HTTP", "HTTPS")


def find_listener(gateway: Json | None, parent: Json) -> Json | None:
    """The listener that the parentRef names by section or port; else the first for HTTP, then for HTTPS."""
    listeners = (gateway or {}).get("spec", {}).get("listeners") or ()
    section, port = parent.get("sectionName"), parent.get("port")
    fitting = [
        each
        for each in listeners
        if each.get("protocol") in _PROTOCOLS
        and (not section or each.get("name") == section)
        and (not port or each.get("port") == port)
    ]
    return min(fitting, key=lambda each: _PROTOCOLS.index(each["protocol"]), default=None)


def listener_uses_tls(listener: Json | None) -> bool:
    """Whether one must speak TLS to it."""
    return listener is not None and listener.get("protocol") == "HTTPS"


def find_address(gateway: Json | None, listener: Json | None) -> str | None:
    """`host:port` of the listener by the Gateway's own word; None while it says nothing."""
    addresses = (gateway or {}).get("status", {}).get("addresses") or ()
    value = next((str(each["value"]) for each in addresses if each.get("value")), None)
    if value is None or listener is None:
        return None
    return f"[{value}]:{listener['port']}" if ":" in value else f"{value}:{listener['port']}"
