#!/usr/bin/env python3
"""A connector for the pager service: subscribers are accounts, pools are entitlements, a pool's site is their scope.

Everything goes through the gateway's own door to the network (`cx.host.http`), so the process needs no network of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from chartgate_plugin import (
    AccountState,
    AttrSchema,
    Attrs,
    Change,
    Class,
    ConfigIssue,
    ConnError,
    Connector,
    Created,
    Ctx,
    Effect,
    Effective,
    Entitlement,
    Gone,
    Health,
    Host,
    HttpResponse,
    KindCaps,
    KindRole,
    KindSchema,
    Level,
    Limits,
    Page,
    PartFailure,
    Record,
    Resync,
    SecretRef,
    SyncEvent,
    Updated,
    Upsert,
    Value,
    http_error,
    serve,
)


@dataclass
class Settings:
    """How the pager service is reached."""

    address: Annotated[str, "Where the service listens, such as https://pager.hosp.example; without a slash at the end."]
    token: Annotated[SecretRef, "The bearer token."]
    timeout: Annotated[int, "Longest wait for one answer, in seconds.", Limits(1, 300)] = 30


SUBSCRIBER = KindSchema(
    role=KindRole.ACCOUNT,
    attrs={
        "login": AttrSchema(required=True, max_length=64),
        "staffNumber": AttrSchema(case_exact=True, updatable=False, max_length=20),
        "displayName": AttrSchema(required=True, max_length=80, sensitive=True),
        "title": AttrSchema(case_exact=True, max_length=120),
        "pagerNumber": AttrSchema(case_exact=True, sensitive=True),
        "phones": AttrSchema(case_exact=True, multi=True, max_length=40, sensitive=True),
    },
    natural_keys=(("login",), ("staffNumber",)),
    caps=KindCaps(
        create=True,
        update=True,
        delete=True,
        disable=True,
        list=True,
        sync=True,
        conditional_update=True,
        idempotency_key=True,
        patch_multi=True,
        max_page=200,
        effective=True,
        revoke_sessions=True,
    ),
)
POOL = KindSchema(
    role=KindRole.ENTITLEMENT,
    attrs={"id": AttrSchema(case_exact=True, creatable=False, updatable=False)},
    natural_keys=(("id",),),
    caps=KindCaps(list=True, max_page=200),
)


class Pager(Connector):
    """The pager service of a hospital's switchboard."""

    NAME = "pager"
    VERSION = "1.0"
    SETTINGS = Settings
    KINDS = {"subscriber": SUBSCRIBER, "pool": POOL}
    DRY_RUN = True

    def __init__(self, settings: Settings, host: Host) -> None:
        super().__init__(settings, host)
        self.address = settings.address.rstrip("/")

    @classmethod
    def check_config(cls, settings: Settings) -> list[ConfigIssue]:
        if settings.address.startswith(("https://", "http://")):
            return []
        return [ConfigIssue("/address", "it begins with https:// or http://")]

    # Reading

    def check(self, cx: Ctx) -> Health:
        answer = self._ask(cx, "GET", "/v1/health").json()
        return Health(server=f"{answer['service']} {answer['version']}")

    def get(self, cx: Ctx, kind: str, id: str) -> Record | None:
        if kind == "pool":
            found = (pool for pool in self._pools(cx) if pool.id == id)
            return next(found, None)
        answer = self._send(cx, "GET", f"/v1/subscribers/{quote(id, safe='')}")
        if _code(answer) == "no-such-subscriber":
            return None
        return _record(_good(answer).json())

    def find(self, cx: Ctx, kind: str, key: dict[str, Value]) -> list[Record]:
        if kind == "pool":
            return [pool for pool in self._pools(cx) if pool.id == key["id"]]
        # Without `include` the service would keep silent about a leaver, who would then be made a second time.
        query = urlencode({name: str(value) for name, value in key.items()} | {"include": "inactive"})
        return [_record(one) for one in self._ask(cx, "GET", f"/v1/subscribers?{query}").json()["items"]]

    def list_page(self, cx: Ctx, kind: str, cursor: str | None, size: int) -> Page:
        query: dict[str, Any] = {"limit": min(size, 200), "include": "inactive"}
        if cursor is not None:
            query["cursor"] = cursor
        noun, read = ("pools", _pool) if kind == "pool" else ("subscribers", _record)
        page = self._ask(cx, "GET", f"/v1/{noun}?{urlencode(query)}").json()
        return Page([read(one) for one in page["items"]], next=page["next"])

    def latest(self, cx: Ctx, kind: str) -> str:
        return str(self._ask(cx, "GET", "/v1/changes").json()["next"])

    def changes(self, cx: Ctx, kind: str, token: str) -> tuple[Sequence[SyncEvent], str]:
        answer = self._send(cx, "GET", f"/v1/changes?{urlencode({'since': token})}")
        # A place that is none of the service's own is as good as one that it has forgotten.
        if answer.status in (410, 422):
            return [Resync()], self.latest(cx, kind)
        page = _good(answer).json()
        return [_event(one) for one in page["events"]], page["next"]

    def effective(self, cx: Ctx, kind: str, id: str) -> Effective:
        answer = self._ask(cx, "GET", f"/v1/can-sign-in/{quote(id, safe='')}").json()
        return Effective(answer["allowed"], answer["sessions"], answer["reasons"])

    # Writing

    def create(
        self, cx: Ctx, kind: str, attrs: Attrs, state: AccountState, entitlements: Sequence[Entitlement]
    ) -> Created:
        body = {name: _plain(name, values) for name, values in attrs.items()} | {"active": state is AccountState.ENABLED}
        if cx.dry_run:
            self._would(cx, "POST", "/v1/subscribers", sorted(body))
            return Created("dry-run")
        # The same key over all attempts of one change: a create whose answer was lost is recognised when it comes again.
        answer = self._ask(cx, "POST", "/v1/subscribers", body, {"idempotency-key": cx.op_id})
        created = Created(answer.json()["id"])
        created.failed = self._join(cx, created.id, entitlements)
        return created

    def update(self, cx: Ctx, kind: str, id: str, change: Change) -> Updated:
        path, updated = f"/v1/subscribers/{quote(id, safe='')}", Updated()
        closing = change.state is not None and change.state is not AccountState.ENABLED
        version = {} if change.if_version is None else {"if-match": change.if_version}
        if cx.dry_run:
            self._would(cx, "PATCH", path, sorted(change.attrs) + (["active"] if change.state else []))
            return updated
        body: dict[str, Any] = {} if not closing else {"active": False}
        if any(delta.is_patch for delta in change.attrs.values()):
            held = _good(self._send(cx, "GET", path))
            # What is added and removed was worked out from this version and no other.
            version = version or {"if-match": held.header("etag") or "*"}
            before = held.json()
        else:
            before = {}
        for name, delta in change.attrs.items():
            body[name] = _plain(name, delta.over(_values(before.get(name))))
        if body:
            self._ask(cx, "PATCH", path, body, version)
        elif version:
            self._check_version(cx, path, version["if-match"])
        updated.failed = self._leave(cx, id, change.entitlements.remove) + self._join(cx, id, change.entitlements.add)
        if change.state is AccountState.ENABLED:
            self._part(updated.failed, "state", lambda: self._ask(cx, "PATCH", path, {"active": True}))
        return updated

    def delete(self, cx: Ctx, kind: str, id: str) -> None:
        path = f"/v1/subscribers/{quote(id, safe='')}"
        if cx.dry_run:
            return self._would(cx, "DELETE", path, [])
        answer = self._send(cx, "DELETE", path)
        if _code(answer) != "no-such-subscriber":
            _good(answer)

    def revoke_sessions(self, cx: Ctx, kind: str, id: str) -> None:
        path = f"/v1/sessions/{quote(id, safe='')}"
        if cx.dry_run:
            return self._would(cx, "DELETE", path, [])
        self._ask(cx, "DELETE", path)

    # Beneath

    def _join(self, cx: Ctx, id: str, pools: Sequence[Entitlement]) -> list[PartFailure]:
        failed: list[PartFailure] = []
        for one in pools:
            self._part(failed, one.part, lambda: self._ask(cx, "PUT", _place(id, one)))
        return failed

    def _leave(self, cx: Ctx, id: str, pools: Sequence[Entitlement]) -> list[PartFailure]:
        failed: list[PartFailure] = []

        def leave(one: Entitlement) -> None:
            answer = self._send(cx, "DELETE", _place(id, one))
            # To leave a pool that one is not in is an error here, and success in the contract.
            if _code(answer) != "not-a-member":
                _good(answer)

        for one in pools:
            self._part(failed, one.part, lambda: leave(one))
        return failed

    def _part(self, failed: list[PartFailure], part: str, do: Any) -> None:
        """One part of a change. A refusal is that part's own; what may strike the next one too ends the call."""
        try:
            do()
        except ConnError as error:
            if error.sort not in (Class.INVALID, Class.FORBIDDEN, Class.NOT_FOUND, Class.CONFLICT):
                error.effect = Effect.MAYBE
                raise
            failed.append(PartFailure(part, error))

    def _check_version(self, cx: Ctx, path: str, wanted: str) -> None:
        if _good(self._send(cx, "GET", path)).header("etag") != wanted:
            raise ConnError.stale_version("the subscriber has changed since it was read")

    def _pools(self, cx: Ctx) -> list[Record]:
        pools, cursor = [], None
        while True:
            page = self.list_page(cx, "pool", cursor, 200)
            pools += page.items
            cursor = page.next
            if cursor is None:
                return pools

    def _would(self, cx: Ctx, method: str, path: str, names: list[str]) -> None:
        cx.host.event(Level.INFO, "would be sent", method=method, path=path, attributes=" ".join(names))

    def _ask(self, cx: Ctx, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> HttpResponse:
        return _good(self._send(cx, method, path, body, headers))

    def _send(self, cx: Ctx, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> HttpResponse:
        # Read anew for every request: a token that was replaced works at once.
        token = cx.host.secret(self.settings.token)
        all_headers = {"authorization": f"Bearer {token}", **(headers or {})}
        timeout = float(self.settings.timeout)
        return cx.host.http(method, self.address + path, headers=all_headers, json=body, timeout=timeout)


def _place(id: str, pool: Entitlement) -> str:
    unknown = set(pool.scope) - {"site"}
    if unknown:
        raise ConnError.invalid("a pool is scoped by site and nothing else", attribute=pool.part)
    return f"/v1/subscribers/{quote(id, safe='')}/pools/{quote(pool.value, safe='')}" + (
        f"?{urlencode(pool.scope)}" if pool.scope else ""
    )


def _code(answer: HttpResponse) -> str | None:
    """The service's own code of an error."""
    if answer.status < 400:
        return None
    try:
        return str(answer.json()["error"]["code"])
    except (ConnError, KeyError, TypeError):
        return None


def _good(answer: HttpResponse) -> HttpResponse:
    """The answer, unless it is a refusal."""
    if 200 <= answer.status < 300:
        return answer
    error: dict[str, Any] = {}
    if answer.status in (404, 409, 422):
        try:
            error = answer.json()["error"]
        except (ConnError, KeyError, TypeError):
            # Not the service's own words: whatever stands in between has answered.
            raise ConnError.unknown("the refusal is none of the service's own", native_code=answer.status) from None
    told = http_error(answer, attribute=error.get("field"), existing=error.get("existing"))
    if "code" in error:
        told.native_code = str(error["code"])
    return _raised(told)


def _raised(error: ConnError) -> HttpResponse:
    raise error


def _values(held: Any) -> list[Value]:
    return list(held) if isinstance(held, list) else [] if held is None else [held]


def _plain(name: str, values: list[Value]) -> Any:
    """Values as the service has them: a list of phones, one text or nothing for everything else."""
    texts = [str(value) for value in values]
    return texts if name == "phones" else texts[0] if texts else None


def _record(one: dict[str, Any]) -> Record:
    try:
        attrs: Attrs = {name: _values(one[name]) for name in SUBSCRIBER.attrs if one.get(name) is not None}
        pools = [Entitlement("pool", each["pool"], {"site": each["site"]} if "site" in each else {}) for each in one["pools"]]
        state = AccountState.ENABLED if one["active"] else AccountState.DISABLED
        key: dict[str, Value] = {name: attrs[name][0] for name in ("login", "staffNumber") if name in attrs}
        return Record("subscriber", one["id"], state, attrs, key, pools, version=f'"{one["version"]}"')
    except (KeyError, TypeError):
        raise ConnError.unknown("the answer is no subscriber") from None


def _pool(one: dict[str, Any]) -> Record:
    id = str(one["id"])
    return Record("pool", id, AccountState.ENABLED, {"id": [id]}, {"id": id})


def _event(one: dict[str, Any]) -> SyncEvent:
    now = one["subscriber"]
    return Gone("subscriber", one["id"]) if now is None else Upsert(_record(now))


if __name__ == "__main__":
    serve(Pager)
