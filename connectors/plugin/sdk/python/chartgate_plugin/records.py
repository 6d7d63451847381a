"""Records of a target, and changes to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .errors import ConnError
from .values import (
    Attrs,
    Malformed,
    Value,
    attrs_read,
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
        )


@dataclass(slots=True)
class PartFailure:
    """One part of a change that failed while the rest succeeded."""

    part: str
    """The attribute, or the entitlement as ``type:value``."""
    error: ConnError
    """Why."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {"part": self.part, "error": self.error.wire()}


@dataclass(slots=True)
class Pending:
    """Work that an asynchronous or human-worked target has taken on."""

    ticket: str
    """The target's mark of the work."""
    poll_after: float
    """Ask again after this many seconds."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {"ticket": self.ticket, "pollAfterMs": max(0, round(self.poll_after * 1000))}


def _outcome(wire: dict[str, Any], failed: list[PartFailure], pending: Pending | None, warnings: list[str]) -> dict[str, Any]:
    if failed:
        wire["failed"] = [one.wire() for one in failed]
    if pending is not None:
        wire["pending"] = pending.wire()
    if warnings:
        wire["warnings"] = list(warnings)
    return wire


@dataclass(slots=True)
class Created:
    """The outcome of a create."""

    id: str
    """The id the target gave."""
    adopted: bool = False
    """The record was there already and was taken over."""
    record: Record | None = None
    """The record as the target returned it, where it does."""
    failed: list[PartFailure] = field(default_factory=list)
    """Parts that failed while the whole succeeded."""
    pending: Pending | None = None
    """The target works on it and will tell later."""
    warnings: list[str] = field(default_factory=list)
    """Warnings that came with a success, free of personal data."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wire: dict[str, Any] = {"id": self.id, "adopted": self.adopted}
        if self.record is not None:
            wire["record"] = self.record.wire()
        return _outcome(wire, self.failed, self.pending, self.warnings)


@dataclass(slots=True)
class Updated:
    """The outcome of an update."""

    new_id: str | None = None
    """The record's new id, where the change gave it one."""
    side_effects: Attrs = field(default_factory=dict)
    """Attributes that the target changed on its own."""
    failed: list[PartFailure] = field(default_factory=list)
    """Parts that failed while the rest succeeded."""
    pending: Pending | None = None
    """The target works on it and will tell later."""
    warnings: list[str] = field(default_factory=list)
    """Warnings that came with a success, free of personal data."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wire: dict[str, Any] = {}
        if self.new_id is not None:
            wire["newId"] = self.new_id
        if self.side_effects:
            wire["sideEffects"] = attrs_wire(self.side_effects)
        return _outcome(wire, self.failed, self.pending, self.warnings)


@dataclass(slots=True)
class Page:
    """One page of a listing."""

    items: list[Record]
    """What is on it."""
    next: str | None = None
    """Where the next one begins; ``None`` on the last. Valid after a restart of the plugin."""
    total_hint: int | None = None
    """About how many there are in all, where the target tells."""
    complete: bool = True
    """Nothing that should be on this page is missing. A listing with a page that is not complete removes nothing."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        items = [one.wire() for one in self.items]
        return {"items": items, "next": self.next, "totalHint": self.total_hint, "complete": self.complete}


@dataclass(slots=True)
class Upsert:
    """A record as it is now."""

    record: Record

    def wire(self) -> Any:
        """As JSON."""
        return {"upsert": self.record.wire()}


@dataclass(slots=True)
class Gone:
    """A record is gone."""

    kind: str
    id: str

    def wire(self) -> Any:
        """As JSON."""
        return {"gone": {"kind": self.kind, "id": self.id}}


@dataclass(slots=True)
class Resync:
    """The token is too old or history is lost: the gateway reads everything."""

    def wire(self) -> Any:
        """As JSON."""
        return "resync"


#: One change that a target reports by itself.
SyncEvent = Upsert | Gone | Resync


@dataclass(slots=True)
class BatchCreate:
    """A create within a batch."""

    op_id: str
    kind: str
    attrs: Attrs
    state: AccountState
    entitlements: list[Entitlement]


@dataclass(slots=True)
class BatchUpdate:
    """An update within a batch."""

    op_id: str
    kind: str
    id: str
    change: Change


#: One operation of a batch.
BatchOp = BatchCreate | BatchUpdate


def batch_read(wire: Any) -> BatchOp:
    """One operation from JSON."""
    op, op_id, kind = member(wire, "op", str), member(wire, "opId", str), member(wire, "kind", str)
    if op == "create":
        state = state_read(wire.get("state"))
        return BatchCreate(op_id, kind, attrs_read(wire.get("attrs")), state, entitlements_read(wire.get("entitlements")))
    if op == "update":
        return BatchUpdate(op_id, kind, member(wire, "id", str), Change.read(wire.get("change")))
    raise Malformed("an operation of a batch is create or update")


@dataclass(slots=True)
class Effective:
    """What an account can do at this moment, as the target itself answers, whatever its record says."""

    can_login: bool | None = None
    """Whether a login would be let in; ``None`` when the target cannot tell."""
    sessions: int | None = None
    """Sessions open now; ``None`` when the target cannot tell."""
    why: list[str] = field(default_factory=list)
    """The target's reasons."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {"canLogin": self.can_login, "sessions": self.sessions, "why": list(self.why)}


@dataclass(slots=True)
class Health:
    """A target's answer to a health check."""

    server: str | None = None
    """Vendor and version, where the target tells."""
    warnings: list[str] = field(default_factory=list)
    """What works less well than it should, in words for an operator."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {"server": self.server, "warnings": list(self.warnings)}
