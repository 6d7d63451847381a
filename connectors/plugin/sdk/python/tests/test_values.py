from __future__ import annotations

import json
import unittest
from datetime import datetime, timedelta, timezone

from chartgate_plugin import Change, ConnError, Class, Delta, Effect, Entitlement, KindCaps, Record, AccountState, Created
from chartgate_plugin.values import Malformed, value_read, value_wire


class Values(unittest.TestCase):
    def test_every_form_survives_the_wire(self) -> None:
        at = datetime(2026, 7, 1, 12, 30, 0, 125_000, timezone.utc)
        for value in [True, False, -7, 2**63 - 1, "2026-07-01T00:00:00Z", "Zoë 𝒳", b"\x00\xff", at]:
            wire = json.loads(json.dumps(value_wire(value)))
            self.assertEqual(value_read(wire), value)
            self.assertIs(type(value_read(wire)), type(value))

    def test_an_instant_is_told_in_utc(self) -> None:
        here = datetime(2026, 7, 1, 2, tzinfo=timezone(timedelta(hours=2)))
        self.assertEqual(value_wire(here), {"at": "2026-07-01T00:00:00Z"})

    def test_nanoseconds_are_cut_to_microseconds(self) -> None:
        read = value_read({"at": "2026-07-01T00:00:00.123456789Z"})
        self.assertEqual(read, datetime(2026, 7, 1, 0, 0, 0, 123_456, timezone.utc))

    def test_what_is_no_value_is_refused(self) -> None:
        for value in [1.5, None, [], {"a": 1}, 2**63, datetime(2026, 7, 1)]:
            with self.assertRaises(TypeError, msg=repr(value)):
                value_wire(value)  # type: ignore[arg-type]
        for wire in [1.5, None, [], {"bytes": "%"}, {"at": "soon"}, {"at": "2026-07-01T00:00:00"}, {"x": 1}]:
            with self.assertRaises(Malformed, msg=repr(wire)):
                value_read(wire)


class Records(unittest.TestCase):
    def test_a_record_tells_not_read_from_none(self) -> None:
        record = Record("account", "A1", AccountState.DISABLED, {"mail": ["a", "b"]}, {"login": "x"})
        self.assertIsNone(record.wire()["entitlements"])
        record.entitlements = []
        self.assertEqual(record.wire()["entitlements"], [])
        self.assertNotIn("version", record.wire())

    def test_a_text_in_place_of_a_list_is_a_mistake_and_not_a_list_of_letters(self) -> None:
        with self.assertRaises(TypeError):
            Record("account", "A1", AccountState.ENABLED, {"mail": "abc"}).wire()  # type: ignore[dict-item]

    def test_a_change_is_read_with_all_its_parts(self) -> None:
        change = Change.read(
            {
                "attrs": {"a": {"set": ["1"]}, "b": {"patch": {"add": ["2"], "remove": ["3"]}}, "c": "clear"},
                "entitlements": {"add": [{"type": "pool", "value": "p", "scope": {"site": "EAST"}}]},
                "state": "blocked",
                "ifVersion": "7",
                "fromTheFuture": 1,
            }
        )
        self.assertEqual(change.attrs, {"a": Delta(["1"]), "b": Delta(None, ["2"], ["3"]), "c": Delta([])})
        self.assertEqual(change.entitlements.add, [Entitlement("pool", "p", {"site": "EAST"})])
        self.assertIsNone(change.entitlements.whole)
        self.assertEqual((change.state, change.if_version), (AccountState.BLOCKED, "7"))

    def test_a_delta_gives_the_values_afterwards(self) -> None:
        self.assertEqual(Delta(None, ["c", "b"], ["a"]).over(["a", "b"]), ["b", "c"])
        self.assertEqual(Delta(["x"]).over(["a"]), ["x"])
        self.assertEqual(Delta([]).over(["a"]), [])

    def test_an_entitlement_survives_the_wire(self) -> None:
        whole = Entitlement("pool", "p", {"site": "E"}, 2, datetime(2026, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(Entitlement.read(whole.wire()), whole)
        self.assertEqual(Entitlement("pool", "p").wire(), {"type": "pool", "value": "p"})

    def test_outcomes_leave_out_what_is_empty(self) -> None:
        self.assertEqual(Created("A1").wire(), {"id": "A1", "adopted": False})
        self.assertEqual(KindCaps().wire()["readAfterWrite"], "immediate")
        self.assertEqual(KindCaps(readable_after_ms=50).wire()["readAfterWrite"], {"eventualMs": 50})
        self.assertEqual(KindCaps(readable_after_ms=None).wire()["readAfterWrite"], "never")


class Errors(unittest.TestCase):
    def test_an_error_survives_the_wire(self) -> None:
        error = ConnError.throttled("slow down", native_code=429, retry_after=7)
        read = ConnError.read(error.wire())
        self.assertEqual((read.sort, read.retry_after, read.native_code), (Class.THROTTLED, 7.0, "429"))
        self.assertEqual(read.effect, Effect.NONE)

    def test_the_usual_effect_of_a_class(self) -> None:
        unsure = {sort for sort in Class if ConnError(sort, "").effect is Effect.MAYBE}
        self.assertEqual(unsure, {Class.TIMEOUT, Class.UNKNOWN})

    def test_a_class_from_the_future_is_permanent_and_maybe(self) -> None:
        read = ConnError.read({"class": "Quantum", "message": "", "effect": "entangled"})
        self.assertEqual((read.sort, read.effect), (Class.PERMANENT, Effect.MAYBE))


if __name__ == "__main__":
    unittest.main()
