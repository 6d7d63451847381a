"""The calls of the contract: parameters from the wire, the connector's method, the answer for the wire."""

from __future__ import annotations

from typing import Any, Callable

from .connector import Connector
from .errors import ConnError
from .guard import Guard
from .host import Ctx
from .outcomes import BatchOp, Created, Updated, batch_read
from .records import Change, entitlements_read, state_read
from .values import Malformed, attrs_read, member, value_read

_Method = Callable[["Calls", Ctx, dict[str, Any]], Any]


class Calls:
    """An open connector, called by the names of the protocol."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self._guard = Guard(connector.KINDS)

    def perform(self, method: str, cx: Ctx, params: dict[str, Any]) -> Any:
        """Does one call."""
        return self.METHODS[method](self, cx, params)

    def _kind(self, method: str, params: dict[str, Any]) -> str:
        kind: str = member(params, "kind", str)
        self._guard.kind(method, kind)
        return kind

    def _writes(self, cx: Ctx) -> None:
        if cx.dry_run and not self.connector.DRY_RUN:
            raise ConnError.unsupported("this plugin has no dry run")

    def _check(self, cx: Ctx, params: dict[str, Any]) -> Any:
        return self.connector.check(cx).wire()

    def _schema(self, cx: Ctx, params: dict[str, Any]) -> Any:
        return self.connector.schema(cx).wire()

    def _get(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id = self._kind("get", params), member(params, "id", str)
        record = self.connector.get(cx, kind, id)
        return None if record is None else record.wire()

    def _find(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind = member(params, "kind", str)
        key = {name: value_read(value) for name, value in member(params, "key", dict).items()}
        self._guard.find(kind, key)
        return [record.wire() for record in self.connector.find(cx, kind, key)]

    def _create(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, attrs = member(params, "kind", str), attrs_read(params.get("attrs"))
        state, entitlements = state_read(params.get("state")), entitlements_read(params.get("entitlements"))
        self._guard.create(kind, attrs, state, entitlements)
        self._writes(cx)
        return self.connector.create(cx, kind, attrs, state, entitlements).wire()

    def _update(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id, change = member(params, "kind", str), member(params, "id", str), Change.read(params.get("change"))
        self._guard.update(kind, change)
        self._writes(cx)
        return self.connector.update(cx, kind, id, change).wire()

    def _delete(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id = self._kind("delete", params), member(params, "id", str)
        self._writes(cx)
        self.connector.delete(cx, kind, id)
        return {}

    def _list(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, cursor, size = self._kind("list", params), params.get("cursor"), member(params, "size", int)
        if not (cursor is None or isinstance(cursor, str)) or size < 1:
            raise Malformed("cursor is a text or null, size at least 1")
        return self.connector.list_page(cx, kind, cursor, size).wire()

    def _latest(self, cx: Ctx, params: dict[str, Any]) -> Any:
        return self.connector.latest(cx, self._kind("latest", params))

    def _changes(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind = self._kind("changes", params)
        events, token = self.connector.changes(cx, kind, member(params, "token", str))
        return {"events": [event.wire() for event in events], "token": token}

    def _apply(self, cx: Ctx, params: dict[str, Any]) -> Any:
        ops = [batch_read(op) for op in member(params, "ops", list)]
        self._writes(cx)
        answers: list[Any] = [self._refusal(op) for op in ops]
        rest = [(place, op) for place, op in enumerate(ops) if answers[place] is None]
        outcomes = list(self.connector.apply(cx, [op for _, op in rest])) if rest else []
        if len(outcomes) != len(rest):
            raise ConnError.unknown("the plugin answered another number of operations than it was given")
        for (place, _), outcome in zip(rest, outcomes):
            answers[place] = _outcome_wire(outcome)
        return answers

    def _refusal(self, op: BatchOp) -> Any:
        try:
            self._guard.batch(op)
        except ConnError as error:
            return _outcome_wire(error)
        return None

    def _set_password(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id = self._kind("set_password", params), member(params, "id", str)
        self._writes(cx)
        self.connector.set_password(cx, kind, id, member(params, "password", str))
        return {}

    def _discover(self, cx: Ctx, params: dict[str, Any]) -> Any:
        return {name: list(values) for name, values in self.connector.discover(cx).items()}

    def _effective(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id = self._kind("effective", params), member(params, "id", str)
        return self.connector.effective(cx, kind, id).wire()

    def _revoke_sessions(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, id = self._kind("revoke_sessions", params), member(params, "id", str)
        self._writes(cx)
        self.connector.revoke_sessions(cx, kind, id)
        return {}

    def _ticket(self, cx: Ctx, params: dict[str, Any]) -> Any:
        kind, ticket = self._kind("ticket", params), member(params, "ticket", str)
        return self.connector.ticket(cx, kind, ticket).wire()

    METHODS: dict[str, _Method] = {
        "check": _check,
        "schema": _schema,
        "get": _get,
        "find": _find,
        "create": _create,
        "update": _update,
        "delete": _delete,
        "list": _list,
        "latest": _latest,
        "changes": _changes,
        "apply": _apply,
        "set_password": _set_password,
        "discover": _discover,
        "effective": _effective,
        "revoke_sessions": _revoke_sessions,
        "ticket": _ticket,
    }


def _outcome_wire(outcome: Created | Updated | ConnError) -> Any:
    if isinstance(outcome, ConnError):
        return {"error": outcome.wire()}
    return {"ok": {"created" if isinstance(outcome, Created) else "updated": outcome.wire()}}

