"""The sample plugin against the pager simulator, whose address is in PAGER_URL."""

from __future__ import annotations

import itertools
import json
import os
import sys
import unittest
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

from chartgate_plugin import HttpResponse
from chartgate_plugin.testing import Dialogue, Refusal, TestHost, loopback
from pager import Pager

URL = os.environ.get("PAGER_URL", "")
numbers = itertools.count(os.getpid() * 1000)


@unittest.skipUnless(URL, "PAGER_URL names no simulator")
class Sample(unittest.TestCase):
    def setUp(self) -> None:
        self.host = TestHost({"PAGER_TOKEN": "test-only-token"}, loopback)
        self.plugin = Dialogue.within(Pager, self.host)
        self.plugin.start({"address": URL, "token": {"env": "PAGER_TOKEN"}})

    def call(self, method: str, **params: Any) -> Any:
        return self.plugin.call(method, kind="subscriber", **params)

    def refused(self, method: str, **params: Any) -> dict[str, Any]:
        with self.assertRaises(Refusal) as caught:
            self.call(method, **params)
        return caught.exception.data

    def made(self, pools: list[Any] = [], **more: Any) -> tuple[str, str]:
        login = f"kit{next(numbers)}"
        attrs = {"login": [login], "displayName": ["Testperson 1 Example"], **more}
        created = self.call("create", attrs=attrs, state="enabled", entitlements=pools)
        self.assertNotIn("failed", created)
        return created["id"], login

    def sim(self, method: str, path: str, body: Any = None) -> None:
        octets = None if body is None else json.dumps(body).encode()
        urllib.request.urlopen(urllib.request.Request(f"{URL}/sim/{path}", octets, method=method)).close()

    def test_a_subscriber_comes_and_goes(self) -> None:
        pools = [{"type": "pool", "value": "cardiology"}, {"type": "pool", "value": "stroke", "scope": {"site": "WEST"}}]
        id, login = self.made(pools, phones=["1", "2"], title=["Dr 𝒳"])
        record = self.call("get", id=id)
        self.assertEqual((record["attrs"]["phones"], record["attrs"]["title"], record["state"]), (["1", "2"], ["Dr 𝒳"], "enabled"))
        self.assertEqual((record["entitlements"], record["naturalKey"]), (pools, {"login": login}))
        change = {
            "attrs": {"phones": {"patch": {"add": ["3"], "remove": ["1"]}}, "title": "clear"},
            "entitlements": {"remove": pools[:1] * 2, "add": [{"type": "pool", "value": "transport"}]},
            "state": "disabled",
            "ifVersion": record["version"],
        }
        self.assertEqual(self.call("update", id=id, change=change), {})
        record = self.call("find", key={"login": login.upper()})[0]
        self.assertEqual((record["attrs"]["phones"], record["state"]), (["2", "3"], "disabled"))
        self.assertNotIn("title", record["attrs"])
        self.assertEqual([one["value"] for one in record["entitlements"]], ["stroke", "transport"])
        self.assertEqual(self.refused("update", id=id, change=change)["class"], "StaleVersion")
        for _ in range(2):
            self.assertEqual(self.call("delete", id=id), {})
        self.assertIsNone(self.call("get", id=id))

    def test_refusals_have_their_class_and_name_what_was_refused(self) -> None:
        id, login = self.made()
        taken = {"attrs": {"login": [login.upper()], "displayName": ["x"]}, "state": "enabled", "entitlements": []}
        error = self.refused("create", **taken)
        self.assertEqual((error["class"], error["existing"], error["effect"]), ("AlreadyExists", id, "none"))
        error = self.refused("update", id=id, change={"attrs": {"pagerNumber": {"set": ["call me"]}}})
        self.assertEqual((error["class"], error["attribute"], error["nativeCode"]), ("Invalid", "pagerNumber", "no-number"))
        self.assertEqual(self.refused("update", id="S99999999", change={"state": "disabled"})["class"], "NotFound")
        nowhere = {"attrs": {"title": {"set": ["t"]}}, "entitlements": {"add": [{"type": "pool", "value": "nowhere"}]}}
        failed = self.call("update", id=id, change=nowhere)["failed"]
        self.assertEqual([(one["part"], one["error"]["class"]) for one in failed], [("pool:nowhere", "Invalid")])

    def test_a_create_that_comes_again_finds_its_own_subscriber(self) -> None:
        login, cx = f"kit{next(numbers)}", {"opId": f"op-of-{next(numbers)}"}
        wanted = {"attrs": {"login": [login], "displayName": ["x"]}, "state": "enabled", "entitlements": []}
        first = self.call("create", cx=cx, **wanted)
        again = self.call("create", cx=cx | {"attempt": 2}, **wanted)
        self.assertEqual(first["id"], again["id"])

    def test_the_token_is_read_anew_and_a_wrong_one_is_auth(self) -> None:
        self.host.secrets["PAGER_TOKEN"] = "wrong"
        error = self.refused("check")
        self.assertEqual(error["class"], "Auth")
        self.host.secrets["PAGER_TOKEN"] = "test-only-token"
        self.assertEqual(self.call("check")["server"], "pager 1.4")

    def test_what_stands_in_between_and_answers_in_html_is_unknown(self) -> None:
        for status in (200, 404, 409, 422):
            self.host.network = lambda *_, status=status: HttpResponse(status, [], b"<html>busy</html>")
            self.assertEqual(self.refused("get", id="S00000001")["class"], "Unknown", status)

    def test_throttling_and_outages_keep_their_class(self) -> None:
        for fault, sort in [("throttle", "Throttled"), ("code:503", "Transient"), ("code:403", "Forbidden")]:
            self.sim("POST", "faults", {"op": "Health", "fault": fault})
            self.assertEqual(self.refused("check")["class"], sort)

    def test_pages_and_changes(self) -> None:
        token = self.call("latest")
        ids = [self.made()[0] for _ in range(3)]
        self.call("delete", id=ids[0])
        told = self.call("changes", token=token)
        self.assertEqual(told["events"][0], {"gone": {"kind": "subscriber", "id": ids[0]}})
        self.assertEqual([event["upsert"]["id"] for event in told["events"][1:3]], ids[1:])
        self.assertEqual(self.call("changes", token=told["token"])["events"], [])
        for old in ("1", "long-ago"):
            self.assertEqual(self.call("changes", token=old)["events"], ["resync"])
        seen, cursor = [], None
        while True:
            page = self.call("list", cursor=cursor, size=2)
            self.assertLessEqual(len(page["items"]), 2)
            seen += [record["id"] for record in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(set(ids[1:]), set(seen))

    def test_a_closed_subscriber_is_shut_out_and_the_sessions_end(self) -> None:
        id, login = self.made()
        octets = json.dumps({"login": login}).encode()
        loopback("POST", f"{URL}/v1/sessions", [("authorization", "Bearer test-only-token")], octets)
        self.call("update", id=id, change={"state": "blocked"})
        self.assertEqual(self.call("effective", id=id), {"canLogin": False, "sessions": 1, "why": ["the subscriber is not active"]})
        for _ in range(2):
            self.assertEqual(self.call("revoke_sessions", id=id), {})
        self.assertEqual(self.call("effective", id=id)["sessions"], 0)

    def test_a_dry_run_tells_and_writes_nothing(self) -> None:
        login = f"kit{next(numbers)}"
        wanted = {"attrs": {"login": [login], "displayName": ["x"]}, "state": "enabled", "entitlements": []}
        self.call("create", cx={"dryRun": True}, **wanted)
        self.assertEqual(self.call("find", key={"login": login}), [])
        self.assertEqual(self.host.events[0][1], "would be sent")
        self.assertNotIn(login, str(self.host.events))


if __name__ == "__main__":
    unittest.main()
