from __future__ import annotations

import unittest
from typing import Any

from chartgate_plugin import AccountState, AttrSchema, Change, Class, ConnError, Delta, Entitlement, EntitlementChange
from chartgate_plugin import KindCaps, KindRole, KindSchema, ValueType
from chartgate_plugin.guard import Guard

ACCOUNT = KindSchema(
    KindRole.ACCOUNT,
    {
        "login": AttrSchema(required=True, max_length=5),
        "badge": AttrSchema(updatable=False),
        "number": AttrSchema(ty=ValueType.INTEGER),
        "colour": AttrSchema(allowed=("red", "blue")),
        "mail": AttrSchema(multi=True),
    },
    (("login",),),
    KindCaps(create=True, update=True, find_by=(("badge", "colour"),)),
)
GUARD = Guard({"account": ACCOUNT, "role": KindSchema(KindRole.ENTITLEMENT)})
ENABLED = AccountState.ENABLED


class Guarding(unittest.TestCase):
    def refused(self, sort: Class, attribute: str | None, call: Any, *arguments: Any) -> None:
        with self.assertRaises(ConnError) as caught:
            call(*arguments)
        self.assertEqual((caught.exception.sort, caught.exception.attribute), (sort, attribute))

    def test_a_legal_call_passes(self) -> None:
        GUARD.create("account", {"login": ["abc"], "mail": ["a", "b"]}, ENABLED, [Entitlement("role", "r")])
        GUARD.update("account", Change({"mail": Delta(["a"])}, state=ENABLED))
        GUARD.find("account", ["login"])
        GUARD.find("account", ["colour", "badge"])
        GUARD.kind("get", "role")

    def test_a_value_that_does_not_fit_is_invalid_by_name(self) -> None:
        for name, values in [
            ("login", ["abcdef"]),
            ("login", []),
            ("login", ["a", "b"]),
            ("number", ["1"]),
            ("number", [True]),
            ("colour", ["green"]),
            ("height", ["1"]),
        ]:
            attrs = {"login": ["abc"], name: values}
            self.refused(Class.INVALID, name, GUARD.create, "account", attrs, ENABLED, [])
        self.refused(Class.INVALID, "login", GUARD.create, "account", {}, ENABLED, [])

    def test_what_cannot_be_changed_is_invalid_by_name(self) -> None:
        for name in ("badge", "height"):
            self.refused(Class.INVALID, name, GUARD.update, "account", Change({name: Delta(["x"])}))
        self.refused(Class.INVALID, "login", GUARD.update, "account", Change({"login": Delta([])}))

    def test_an_entitlement_of_a_strange_type_is_invalid(self) -> None:
        strange = Entitlement("account", "x")
        self.refused(Class.INVALID, "account:x", GUARD.create, "account", {"login": ["a"]}, ENABLED, [strange])
        change = Change(entitlements=EntitlementChange(add=[strange]))
        self.refused(Class.INVALID, "account:x", GUARD.update, "account", change)

    def test_what_is_not_declared_is_unsupported(self) -> None:
        self.refused(Class.UNSUPPORTED, None, GUARD.create, "role", {}, ENABLED, [])
        self.refused(Class.UNSUPPORTED, None, GUARD.update, "role", Change())
        for method in ("delete", "list", "latest", "changes", "set_password", "effective", "revoke_sessions"):
            self.refused(Class.UNSUPPORTED, None, GUARD.kind, method, "account")
        self.refused(Class.UNSUPPORTED, None, GUARD.kind, "get", "department")
        self.refused(Class.UNSUPPORTED, None, GUARD.find, "account", ["mail"])
        self.refused(Class.UNSUPPORTED, None, GUARD.update, "account", Change(state=AccountState.DISABLED))
        self.refused(Class.UNSUPPORTED, None, GUARD.update, "account", Change({"mail": Delta(None, ["x"])}))

    def test_without_declared_kinds_everything_passes(self) -> None:
        Guard({}).create("anything", {"x": ["y"]}, AccountState.BLOCKED, [Entitlement("z", "1")])


if __name__ == "__main__":
    unittest.main()
