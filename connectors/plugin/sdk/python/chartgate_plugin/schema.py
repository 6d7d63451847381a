"""What a target consists of and what it can do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class KindRole(StrEnum):
    """What a kind is for."""

    ACCOUNT = "account"
    """A login of a person or a service."""
    ENTITLEMENT = "entitlement"
    """Something that accounts hold."""
    OTHER = "other"
    """Anything else."""


class ValueType(StrEnum):
    """The type of a value."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class AttrSchema:
    """One attribute of a kind; by default optional, single, case-insensitive text that may be written and is read back."""

    ty: ValueType = ValueType.TEXT
    """Type of each value."""
    required: bool = False
    """A create without it is refused."""
    multi: bool = False
    """May hold more than one value."""
    case_exact: bool = False
    """Letter case counts when values are compared."""
    creatable: bool = True
    """May be given on create."""
    updatable: bool = True
    """May be changed later."""
    readable: bool = True
    """Can be read."""
    returned_by_default: bool = True
    """Comes with every read."""
    sensitive: bool = False
    """Personal or secret: masked in plans."""
    allowed: tuple[str, ...] = ()
    """The only values allowed; empty means any."""
    references: str | None = None
    """The kind that values refer to."""
    max_length: int | None = None
    """Longest text in characters."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ty": self.ty.value,
            "required": self.required,
            "multi": self.multi,
            "caseExact": self.case_exact,
            "creatable": self.creatable,
            "updatable": self.updatable,
            "readable": self.readable,
            "returnedByDefault": self.returned_by_default,
            "sensitive": self.sensitive,
            "allowed": list(self.allowed),
            "references": self.references,
            "maxLength": self.max_length,
        }


@dataclass(frozen=True, slots=True)
class KindCaps:
    """What can be done with a kind. The gateway's configuration may narrow it, never widen it."""

    create: bool = False
    """Records can be made."""
    update: bool = False
    """Records can be changed."""
    delete: bool = False
    """Records can be deleted."""
    disable: bool = False
    """Records can be switched off and on again."""
    list: bool = False
    """All records can be listed."""
    sync: bool = False
    """The target reports its own changes."""
    find_by: tuple[tuple[str, ...], ...] = ()
    """Sets of attributes by which ``find`` works, besides the natural keys."""
    conditional_update: bool = False
    """``if_version`` is honoured."""
    idempotency_key: bool = False
    """The target recognises a repeated ``op_id`` by itself."""
    patch_multi: bool = False
    """Single values of a multi-valued attribute can be added and removed."""
    replaces_entitlements: bool = False
    """The entitlement list is replaced as a whole."""
    max_batch: int = 0
    """Most operations in one batch; 0 means no batches."""
    max_page: int = 0
    """Most records on one page; 0 means that the target states no limit."""
    readable_after_ms: int | None = 0
    """When a write can be read back, in milliseconds; ``None``: not at all."""
    delete_is_soft: bool = False
    """A delete leaves a record behind that can be brought back."""
    set_password: bool = False
    """Passwords can be set."""
    end_date: bool = False
    """The target ends access by itself at a given instant."""
    effective: bool = False
    """Whether a login would be let in can be asked or proved."""
    revoke_sessions: bool = False
    """Open sessions can be ended."""
    follow_ups: bool = False
    """Something is done after a change and outside of it, which can fail alone: see ``Change.again``."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wait = self.readable_after_ms
        read_back = "never" if wait is None else {"eventualMs": wait} if wait else "immediate"
        return {
            "create": self.create,
            "update": self.update,
            "delete": self.delete,
            "disable": self.disable,
            "list": self.list,
            "sync": self.sync,
            "findBy": [[*names] for names in self.find_by],
            "conditionalUpdate": self.conditional_update,
            "idempotencyKey": self.idempotency_key,
            "patchMulti": self.patch_multi,
            "replacesEntitlements": self.replaces_entitlements,
            "maxBatch": self.max_batch,
            "maxPage": self.max_page,
            "readAfterWrite": read_back,
            "deleteIsSoft": self.delete_is_soft,
            "setPassword": self.set_password,
            "endDate": self.end_date,
            "effective": self.effective,
            "revokeSessions": self.revoke_sessions,
            "followUps": self.follow_ups,
        }


@dataclass(frozen=True, slots=True)
class KindSchema:
    """One kind of record or entitlement."""

    role: KindRole
    """What it is for."""
    attrs: Mapping[str, AttrSchema] = field(default_factory=dict)
    """Its attributes by the target's names."""
    natural_keys: tuple[tuple[str, ...], ...] = ()
    """Each inner tuple is a set of attributes that together identify a record."""
    caps: KindCaps = KindCaps()
    """What can be done with it."""
    depends_on: tuple[str, ...] = ()
    """Kinds that must stand before this one is made."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "role": self.role.value,
            "attrs": {name: attr.wire() for name, attr in self.attrs.items()},
            "naturalKeys": [[*names] for names in self.natural_keys],
            "dependsOn": [*self.depends_on],
            "caps": self.caps.wire(),
            "provenance": "default",
        }


@dataclass(frozen=True, slots=True)
class TargetSchema:
    """A target's kinds."""

    kinds: Mapping[str, KindSchema]
    """By name."""
    revision: str = ""
    """Changes when a kind does. Empty: a hash of the kinds."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        kinds = {name: kind.wire() for name, kind in self.kinds.items()}
        octets = json.dumps(kinds, sort_keys=True).encode()
        return {"revision": self.revision or hashlib.sha256(octets).hexdigest()[:16], "kinds": kinds}
