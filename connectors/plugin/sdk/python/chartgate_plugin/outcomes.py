"""What a call answers: outcomes, pages, changes of the target's own, batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import ConnError
from .records import AccountState, Change, Entitlement, Record, entitlements_read, state_read
from .values import Attrs, Malformed, attrs_read, attrs_wire, member


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


@dataclass(slots=True)
class TicketState:
    """What became of work that the target has taken on; as it stands, it is still worked on."""

    done: bool = False
    """It was carried out. What it did is read before it is believed."""
    id: str | None = None
    """The record, where it is done and the target tells it."""
    refused: ConnError | None = None
    """It was not carried out and will not be: the answer to the call that was taken on."""

    def wire(self) -> Any:
        """As JSON."""
        if self.refused is not None:
            return {"refused": self.refused.wire()}
        if self.done:
            return {"done": {} if self.id is None else {"id": self.id}}
        return "open"


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
