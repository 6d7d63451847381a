"""Holds calls against the kinds that a connector declares, before they reach it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .errors import ConnError
from .records import AccountState, BatchCreate, BatchOp, Change, Entitlement
from .schema import AttrSchema, KindRole, KindSchema, ValueType
from .values import Attrs, Value

_SORTS: dict[ValueType, type] = {
    ValueType.TEXT: str,
    ValueType.INTEGER: int,
    ValueType.BOOLEAN: bool,
    ValueType.BYTES: bytes,
    ValueType.TIMESTAMP: datetime,
}

#: Calls that need no more than a capability of the kind.
_NEEDS = {
    "delete": "delete",
    "list": "list",
    "latest": "sync",
    "changes": "sync",
    "set_password": "set_password",
    "effective": "effective",
    "revoke_sessions": "revoke_sessions",
}


class Guard:
    """The checks, for one connector. Without declared kinds it lets everything pass."""

    def __init__(self, kinds: Mapping[str, KindSchema]) -> None:
        self._kinds = kinds
        self._entitlements = {name for name, kind in kinds.items() if kind.role is KindRole.ENTITLEMENT}

    def kind(self, method: str, kind: str) -> None:
        """Any call about a kind."""
        if self._kinds:
            needed = _NEEDS.get(method)
            known = self._known(kind)
            if needed is not None and not getattr(known.caps, needed):
                raise ConnError.unsupported(f"{kind} does not declare {needed}")

    def find(self, kind: str, key: Iterable[str]) -> None:
        """A search."""
        if self._kinds:
            known, wanted = self._known(kind), set(key)
            if not any(wanted == set(names) for names in (*known.natural_keys, *known.caps.find_by)):
                raise ConnError.unsupported(f"{kind} is not found by {', '.join(sorted(wanted))}")

    def create(self, kind: str, attrs: Attrs, state: AccountState, entitlements: Iterable[Entitlement]) -> None:
        """A create."""
        if not self._kinds:
            return
        known = self._known(kind)
        if not known.caps.create:
            raise ConnError.unsupported(f"{kind} does not declare create")
        for name, values in attrs.items():
            schema = known.attrs.get(name)
            if schema is None or not schema.creatable:
                raise ConnError.invalid(f"{kind} cannot be created with {name}", attribute=name)
            _fits(name, schema, values)
        for name, schema in known.attrs.items():
            if schema.required and not attrs.get(name):
                raise ConnError.invalid(f"{name} must have a value", attribute=name)
        self._state(kind, known, state)
        self._types(entitlements)

    def update(self, kind: str, change: Change) -> None:
        """An update."""
        if not self._kinds:
            return
        known = self._known(kind)
        if not known.caps.update:
            raise ConnError.unsupported(f"{kind} does not declare update")
        for name, delta in change.attrs.items():
            schema = known.attrs.get(name)
            if schema is None or not schema.updatable:
                raise ConnError.invalid(f"{name} of {kind} cannot be changed", attribute=name)
            if delta.is_patch and not known.caps.patch_multi:
                raise ConnError.unsupported(f"{kind} does not declare patch_multi")
            _fits(name, schema, delta.add if delta.values is None else delta.values)
            if schema.required and delta.values == []:
                raise ConnError.invalid(f"{name} must have a value", attribute=name)
        if change.state is not None:
            self._state(kind, known, change.state)
        self._types(change.entitlements.add)

    def batch(self, op: BatchOp) -> None:
        """One operation of a batch."""
        if isinstance(op, BatchCreate):
            self.create(op.kind, op.attrs, op.state, op.entitlements)
        else:
            self.update(op.kind, op.change)

    def _known(self, kind: str) -> KindSchema:
        known = self._kinds.get(kind)
        if known is None:
            raise ConnError.unsupported("there is no such kind")
        return known

    def _state(self, kind: str, known: KindSchema, state: AccountState) -> None:
        if state is not AccountState.ENABLED and state is not AccountState.UNKNOWN and not known.caps.disable:
            raise ConnError.unsupported(f"{kind} does not declare disable")

    def _types(self, entitlements: Iterable[Entitlement]) -> None:
        for one in entitlements:
            if one.type not in self._entitlements:
                raise ConnError.invalid("there is no such type of entitlement", attribute=one.part)


def _fits(name: str, schema: AttrSchema, values: list[Value]) -> None:
    def no(why: str) -> ConnError:
        return ConnError.invalid(f"{name}: {why}", attribute=name)

    if len(values) > 1 and not schema.multi:
        raise no("it has one value")
    wanted: Any = _SORTS[schema.ty]
    for value in values:
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise no(f"its values are of type {schema.ty}")
        if schema.max_length is not None and isinstance(value, str) and len(value) > schema.max_length:
            raise no(f"at most {schema.max_length} characters")
        if schema.allowed and value not in schema.allowed:
            raise no("this value is not allowed")
