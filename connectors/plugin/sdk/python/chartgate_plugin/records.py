"""Records of a target, and changes to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .values import (
    Attrs,
    Malformed,
    Value,
    attrs_wire,
    instant_read,
    instant_wire,
    member,
    value_wire,
    values_read,
)


class AccountState(StrEnum):
    """Whether an account can be used, in the target's terms."""

    ENABLED = "enabled"
    """Usable, as far as the record says."""
    DISABLED = "disabled"
    """Switched off."""
    BLOCKED = "blocked"
    """Refused for a reason, whatever else the record says."""
    EXPIRED = "expired"
    """Its end date has passed."""
    UNKNOWN = "unknown"
    """The record does not say."""


_STATES = {state.value: state for state in AccountState}


def state_read(wire: Any) -> AccountState:
    """A state from JSON."""
    try:
        return _STATES[wire]
    except (KeyError, TypeError):
        raise Malformed("a state is enabled, disabled, blocked, expired or unknown") from None


@dataclass(slots=True)
class Entitlement:
    """One entitlement of one account: type, value and scope make it; order and dates are its properties."""

    type: str
    """What sort of thing it is, a kind of the schema with the role ``entitlement``."""
    value: str
    """The target's own name or id of it."""
    scope: dict[str, str] = field(default_factory=dict)
    """Where it holds; empty means everywhere."""
    order: int | None = None
    """Its place, from 1, where the target keeps an order."""
    valid_from: datetime | None = None
    """First instant at which it holds."""
    valid_to: datetime | None = None
    """First instant at which it no longer holds."""

    def same_grant(self, other: Entitlement) -> bool:
        """Whether both speak of the same grant."""
        return (self.type, self.value, self.scope) == (other.type, other.value, other.scope)

    @property
    def part(self) -> str:
        """How a :class:`PartFailure` names it."""
        return f"{self.type}:{self.value}"

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wire: dict[str, Any] = {"type": self.type, "value": self.value}
        if self.scope:
            wire["scope"] = self.scope
        if self.order is not None:
            wire["order"] = self.order
        if self.valid_from is not None:
            wire["validFrom"] = instant_wire(self.valid_from)
        if self.valid_to is not None:
            wire["validTo"] = instant_wire(self.valid_to)
        return wire

    @classmethod
    def read(cls, wire: Any) -> Entitlement:
        """From JSON."""
        dates = [wire.get(name) for name in ("validFrom", "validTo")] if isinstance(wire, dict) else []
        return cls(
            member(wire, "type", str),
            member(wire, "value", str),
            wire.get("scope") or {},
            wire.get("order"),
            *(None if date is None else instant_read(date) for date in dates),
        )


def entitlements_read(wire: Any) -> list[Entitlement]:
    """A list of them from JSON."""
    if wire is None:
        return []
    if not isinstance(wire, list):
        raise Malformed("entitlements are a list")
    return [Entitlement.read(one) for one in wire]


@dataclass(slots=True)
class Record:
    """What a target holds of one object, as read."""

    kind: str
    """Its sort."""
    id: str
    """The target's id of it."""
    state: AccountState
    """Whether it can be used."""
    attrs: Attrs = field(default_factory=dict)
    """Its attributes, each a list."""
    natural_key: dict[str, Value] = field(default_factory=dict)
    """The values of its natural keys, as the target holds them."""
    entitlements: list[Entitlement] | None = None
    """``None``: not read. An empty list: read, and it has none."""
    incomplete: bool = False
    """Parts of it could not be read: nothing may be removed on its word."""
    version: str | None = None
    """The target's version mark, where it has one."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        held = self.entitlements
        wire: dict[str, Any] = {
            "kind": self.kind,
            "id": self.id,
            "naturalKey": {name: value_wire(value) for name, value in self.natural_key.items()},
            "attrs": attrs_wire(self.attrs),
            "state": self.state,
            "entitlements": None if held is None else [one.wire() for one in held],
            "incomplete": self.incomplete,
        }
        if self.version is not None:
            wire["version"] = self.version
        return wire


@dataclass(slots=True)
class Delta:
    """What is to become of one attribute: other values, some more and some fewer, or none."""

    values: list[Value] | None = None
    """These values and no others; an empty list clears. ``None`` for a patch."""
    add: list[Value] = field(default_factory=list)
    """Values to add; one that is there already is success."""
    remove: list[Value] = field(default_factory=list)
    """Values to remove; one that is absent is success."""

    @property
    def is_patch(self) -> bool:
        """Whether it adds and removes single values."""
        return self.values is None

    def over(self, held: list[Value]) -> list[Value]:
        """The values afterwards, where ``held`` are the values before."""
        if self.values is not None:
            return list(self.values)
        kept = [value for value in held if value not in self.remove]
        return kept + [value for value in self.add if value not in kept]

    def wire(self) -> Any:
        """As JSON."""
        if self.values is not None:
            return {"set": [value_wire(value) for value in self.values]} if self.values else "clear"
        return {"patch": {"add": [value_wire(one) for one in self.add], "remove": [value_wire(one) for one in self.remove]}}

    @classmethod
    def read(cls, wire: Any) -> Delta:
        """From JSON."""
        if wire == "clear":
            return cls([])
        if isinstance(wire, dict) and len(wire) == 1:
            if "set" in wire:
                return cls(values_read(wire["set"]))
            patch = wire.get("patch")
            if isinstance(patch, dict):
                return cls(None, values_read(patch.get("add", [])), values_read(patch.get("remove", [])))
        raise Malformed("a delta is set, patch or clear")


@dataclass(slots=True)
class EntitlementChange:
    """What is to happen to an account's entitlements. A target that adds and removes reads ``add`` and ``remove``; one that
    replaces the list reads ``whole``."""

    add: list[Entitlement] = field(default_factory=list)
    """To be given. Giving what is held already is success."""
    remove: list[Entitlement] = field(default_factory=list)
    """To be taken. Taking what is absent is success."""
    whole: list[Entitlement] | None = None
    """The last complete read plus the above; ``None`` when there was none."""

    @classmethod
    def read(cls, wire: Any) -> EntitlementChange:
        """From JSON."""
        if wire is None:
            return cls()
        if not isinstance(wire, dict):
            raise Malformed("a change of entitlements is an object")
        whole = wire.get("whole")
        return cls(
            entitlements_read(wire.get("add")),
            entitlements_read(wire.get("remove")),
            None if whole is None else entitlements_read(whole),
        )


@dataclass(slots=True)
class Change:
    """One change of one record. A closing state comes before everything else, ``ENABLED`` after everything else."""

    attrs: dict[str, Delta] = field(default_factory=dict)
    """Attributes to change; those not named stay."""
    entitlements: EntitlementChange = field(default_factory=EntitlementChange)
    """Entitlements to give and take."""
    state: AccountState | None = None
    """The state to bring it to."""
    if_version: str | None = None
    """Refuse with ``StaleVersion`` when the target's version differs."""
    again: bool = False
    """What is done after a change (a notification, the end of sessions) failed before or may have: do it again."""

    @classmethod
    def read(cls, wire: Any) -> Change:
        """From JSON."""
        if not isinstance(wire, dict):
            raise Malformed("a change is an object")
        attrs = wire.get("attrs") or {}
        if not isinstance(attrs, dict):
            raise Malformed("attributes are an object")
        state = wire.get("state")
        return cls(
            {name: Delta.read(delta) for name, delta in attrs.items()},
            EntitlementChange.read(wire.get("entitlements")),
            None if state is None else state_read(state),
            wire.get("ifVersion"),
            wire.get("again") is True,
        )
