"""The counterpart of the program `steady` in Python: it answers at once and holds nothing."""

import os

from chartgate_plugin import AccountState, Connector, Entitlement, Health, KindCaps, KindRole, KindSchema, Page, Record, serve

ACCOUNTS = 100_000


def account(id):
    attrs = {f"attribute{number:02}": [f"Value {number} of {id}"] for number in range(15)}
    held = [Entitlement("role", "nurse")]
    return Record("account", id, AccountState.ENABLED, attrs, {"login": id}, held, version="1")


class Steady(Connector):
    NAME = "steady"
    KINDS = {
        "account": KindSchema(role=KindRole.ACCOUNT, attrs={}, natural_keys=(("login",),), caps=KindCaps(list=True)),
    }

    def check(self, cx):
        return Health(server=str(os.getpid()))

    def get(self, cx, kind, id):
        return account(id)

    def list_page(self, cx, kind, cursor, size):
        start = int(cursor or 0)
        end = min(start + size, ACCOUNTS)
        items = [account(f"A{number:06}") for number in range(start, end)]
        return Page(items, next=str(end) if end < ACCOUNTS else None)


serve(Steady)
