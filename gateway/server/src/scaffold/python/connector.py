#!/usr/bin/env python3
"""@NAME@: a connector for Chartgate.

What stands here works already, against `shelf.py`: a stand-in that keeps accounts in a file. Put your target in its place; the
places where you write are marked with "here".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from chartgate_plugin import (
    AccountState,
    AttrSchema,
    Attrs,
    Change,
    ConnError,
    Connector,
    Created,
    Ctx,
    Effective,
    Entitlement,
    Health,
    Host,
    KindCaps,
    KindRole,
    KindSchema,
    Level,
    Page,
    PartFailure,
    Record,
    SecretRef,
    Updated,
    Value,
    serve,
)
from shelf import Refused, Shelf


# Here: what somebody must say who sets your target up. The texts are its documentation.
@dataclass
class Settings:
    """How @NAME@ is reached."""

    file: Annotated[str, "Where the stand-in keeps its accounts."]
    token: Annotated[SecretRef, "The token that lets us in."]


# Here: what there is in your target. Calls that do not fit are refused before they reach the class below.
ACCOUNT = KindSchema(
    role=KindRole.ACCOUNT,
    attrs={
        "login": AttrSchema(required=True, max_length=64),
        "displayName": AttrSchema(required=True, case_exact=True, max_length=80, sensitive=True),
        "title": AttrSchema(case_exact=True, max_length=120),
        "phones": AttrSchema(multi=True, case_exact=True, sensitive=True),
    },
    natural_keys=(("login",),),
    caps=KindCaps(
        create=True,
        update=True,
        delete=True,
        disable=True,
        list=True,
        conditional_update=True,
        patch_multi=True,
        effective=True,
        revoke_sessions=True,
    ),
)
# Here: what accounts hold, each sort by itself.
ROLE = KindSchema(
    role=KindRole.ENTITLEMENT,
    attrs={"name": AttrSchema(case_exact=True, creatable=False, updatable=False)},
    natural_keys=(("name",),),
    caps=KindCaps(list=True),
)


class @CLASS@(Connector):
    """Here: one method for each call. Every write may come twice; what is so already is success."""

    NAME = "@NAME@"
    VERSION = "0.1"
    SETTINGS = Settings
    KINDS = {"account": ACCOUNT, "role": ROLE}
    DRY_RUN = True

    def __init__(self, settings: Settings, host: Host) -> None:
        super().__init__(settings, host)
        self.shelf = Shelf(settings.file)

    # Reading

    def check(self, cx: Ctx) -> Health:
        self._enter(cx)
        return Health(server="shelf")

    def get(self, cx: Ctx, kind: str, id: str) -> Record | None:
        self._enter(cx)
        if kind == "role":
            return role(id) if id in self.shelf.ROLES else None
        row = self.shelf.rows().get(id)
        return None if row is None else account(id, row)

    def find(self, cx: Ctx, kind: str, key: dict[str, Value]) -> list[Record]:
        self._enter(cx)
        if kind == "role":
            return [role(name) for name in self.shelf.ROLES if name == key["name"]]
        # Inactive accounts are found too: a leaver who comes back must not be made a second time.
        wanted = str(key["login"]).lower()
        return [account(id, row) for id, row in self.shelf.rows().items() if row["login"].lower() == wanted]

    def list_page(self, cx: Ctx, kind: str, cursor: str | None, size: int) -> Page:
        self._enter(cx)
        if kind == "role":
            records = [role(name) for name in sorted(self.shelf.ROLES)]
        else:
            records = [account(id, row) for id, row in sorted(self.shelf.rows().items())]
        # The cursor is the last id of the page before: it means the same after a restart.
        rest = [record for record in records if cursor is None or record.id > cursor]
        page = rest[:size]
        return Page(page, next=page[-1].id if len(rest) > len(page) else None)

    def effective(self, cx: Ctx, kind: str, id: str) -> Effective:
        record = self.get(cx, kind, id)
        if record is None:
            raise ConnError.not_found("there is no such account")
        lets_in = record.state is AccountState.ENABLED
        return Effective(lets_in, 0, [] if lets_in else ["the account is switched off"])

    # Writing

    def create(
        self, cx: Ctx, kind: str, attrs: Attrs, state: AccountState, entitlements: Sequence[Entitlement]
    ) -> Created:
        self._enter(cx)
        if cx.dry_run:
            self._would(cx, "create", sorted(attrs))
            return Created("dry-run")
        row = {name: plain(name, values) for name, values in attrs.items()} | {"active": state is AccountState.ENABLED}
        try:
            id = self.shelf.add(row)
        except Refused as refused:
            raise error(refused) from None
        return Created(id, failed=self._roles(id, entitlements, []))

    def update(self, cx: Ctx, kind: str, id: str, change: Change) -> Updated:
        self._enter(cx)
        if cx.dry_run:
            self._would(cx, "update", sorted(change.attrs))
            return Updated()

        def edit(row: dict) -> None:
            if change.if_version is not None and change.if_version != str(row["version"]):
                raise ConnError.stale_version("the account has changed since it was read")
            # A closing state comes before everything else, an opening one after everything else.
            if change.state is not None and change.state is not AccountState.ENABLED:
                row["active"] = False
            for name, delta in change.attrs.items():
                row[name] = plain(name, delta.over(values(row.get(name))))

        def open_again(row: dict) -> None:
            row["active"] = True

        try:
            self.shelf.edit(id, edit)
            failed = self._roles(id, change.entitlements.add, change.entitlements.remove)
            if change.state is AccountState.ENABLED:
                self.shelf.edit(id, open_again)
        except Refused as refused:
            raise error(refused) from None
        return Updated(failed=failed)

    def delete(self, cx: Ctx, kind: str, id: str) -> None:
        self._enter(cx)
        if cx.dry_run:
            return self._would(cx, "delete", [])
        self.shelf.remove(id)

    def revoke_sessions(self, cx: Ctx, kind: str, id: str) -> None:
        self._enter(cx)  # The stand-in has no sessions, so there is none to end.

    # Beneath

    def _enter(self, cx: Ctx) -> None:
        """The secret is read anew for every call: one that was replaced works at once."""
        if not self.shelf.lets_in(cx.host.secret(self.settings.token)):
            raise ConnError.auth("the token is refused")

    def _roles(self, id: str, add: Sequence[Entitlement], remove: Sequence[Entitlement]) -> list[PartFailure]:
        """Gives and takes one by one. What the target refuses is told by its part; the rest is done."""
        failed = []
        for one in remove:
            self.shelf.edit(id, lambda row: row["roles"].remove(one.value) if one.value in row["roles"] else None)
        for one in add:
            if one.value not in self.shelf.ROLES or one.scope:
                failed.append(PartFailure(one.part, ConnError.invalid("there is no such role", attribute=one.part)))
            else:
                self.shelf.edit(id, lambda row: row["roles"].append(one.value) if one.value not in row["roles"] else None)
        return failed

    def _would(self, cx: Ctx, what: str, names: list[str]) -> None:
        """Names of attributes, never their values: events are logged."""
        cx.host.event(Level.INFO, "would be written", call=what, attributes=" ".join(names))


def account(id: str, row: dict) -> Record:
    attrs: Attrs = {name: values(row[name]) for name in ACCOUNT.attrs if row.get(name)}
    state = AccountState.ENABLED if row["active"] else AccountState.DISABLED
    roles = [Entitlement("role", name) for name in row["roles"]]
    return Record("account", id, state, attrs, {"login": row["login"]}, roles, version=str(row["version"]))


def role(name: str) -> Record:
    return Record("role", name, AccountState.ENABLED, {"name": [name]}, {"name": name})


def values(held: object) -> list[Value]:
    return list(held) if isinstance(held, list) else [] if held is None else [str(held)]


def plain(name: str, given: list[Value]) -> object:
    """As the target has it: a list where the attribute may have several values, else one text or nothing."""
    texts = [str(value) for value in given]
    return texts if ACCOUNT.attrs[name].multi else texts[0] if texts else None


def error(refused: Refused) -> ConnError:
    """Here: what your target's refusals mean. The class alone decides what the gateway does next."""
    if refused.code == "taken":
        return ConnError.already_exists("the login is taken", attribute="login", existing=refused.id)
    return ConnError.not_found("there is no such account")


if __name__ == "__main__":
    serve(@CLASS@)
