"""Values as they travel between the gateway and a target.

On the wire a text, an integer and a Boolean are the JSON value of that type; octets are ``{"bytes": "<base64>"}`` and an
instant is ``{"at": "<RFC 3339>"}``, so that a text that looks like a date stays a text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

#: One value of an attribute. Instants carry a zone; what is finer than a microsecond is lost.
Value = bool | int | str | bytes | datetime

#: Attributes by the target's own names, always lists. Secrets never travel here.
Attrs = dict[str, list[Value]]

_PLAIN = frozenset({str, bool})
#: Integers have 64 bits on the wire.
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


class Malformed(ValueError):
    """What came over the wire is not what the contract says."""


def instant_wire(at: datetime) -> str:
    """An instant as RFC 3339 in UTC. A ``datetime`` without a zone is refused: it names no instant."""
    if at.tzinfo is None:
        raise TypeError("a datetime without a zone is no instant; give it one, such as timezone.utc")
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def instant_read(text: Any) -> datetime:
    """The instant that RFC 3339 text names."""
    if not isinstance(text, str):
        raise Malformed("an instant is a text")
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("an instant is RFC 3339") from error
    if at.tzinfo is None:
        raise Malformed("an instant names its zone")
    return at


def value_wire(value: Value) -> Any:
    """A value as JSON."""
    sort = value.__class__
    if sort in _PLAIN:
        return value
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise TypeError("an integer has at most 64 bits")
        return value
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        return {"at": instant_wire(value)}
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a value is a text, an integer, a Boolean, bytes or a datetime, not {sort.__name__}")


def value_read(wire: Any) -> Value:
    """A value from JSON."""
    sort = wire.__class__
    if isinstance(wire, (str, int)):  # A Boolean is an int.
        return wire
    if sort is dict and len(wire) == 1:
        if "bytes" in wire:
            return octets_read(wire["bytes"])
        if "at" in wire:
            return instant_read(wire["at"])
    raise Malformed("a value is a text, an integer, a Boolean, octets or an instant")


def octets_read(text: Any) -> bytes:
    """Octets from base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Malformed("octets are base64") from error


def values_wire(values: list[Value]) -> list[Any]:
    """The values of one attribute as JSON."""
    if values.__class__ is not list and not isinstance(values, (list, tuple)):
        raise TypeError("the values of an attribute are a list, also where there is only one")
    return [value if value.__class__ is str else value_wire(value) for value in values]


def values_read(wire: Any) -> list[Value]:
    """The values of one attribute from JSON."""
    if wire.__class__ is not list:
        raise Malformed("the values of an attribute are a list")
    return [value if value.__class__ is str else value_read(value) for value in wire]


def attrs_wire(attrs: Mapping[str, list[Value]]) -> dict[str, Any]:
    """Attributes as JSON."""
    return {name: values_wire(values) for name, values in attrs.items()}


def attrs_read(wire: Any) -> Attrs:
    """Attributes from JSON."""
    if wire is None:
        return {}
    if wire.__class__ is not dict:
        raise Malformed("attributes are an object")
    return {name: values_read(values) for name, values in wire.items()}


def member(wire: Any, name: str, sort: type) -> Any:
    """A member that must be there."""
    if wire.__class__ is not dict:
        raise Malformed(f"an object with {name} was expected")
    found = wire.get(name)
    if found.__class__ is not sort:
        raise Malformed(f"{name} is missing or of another type")
    return found
