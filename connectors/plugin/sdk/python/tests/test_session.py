from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartgate_plugin import AccountState, Connector, ConnError, Created, Ctx, Health, HttpResponse, KindCaps, KindRole, KindSchema
from chartgate_plugin import Page, Pending, Record, SecretRef, TicketState, Updated
from chartgate_plugin.session import MAX_FRAME
from chartgate_plugin.testing import Dialogue, Refusal, TestHost, loopback

ROOT = Path(__file__).parent.parent


@dataclass
class Settings:
    greeting: str = "hello"


class Sample(Connector):
    NAME = "sample"
    SETTINGS = Settings
    KINDS = {"account": KindSchema(KindRole.ACCOUNT, caps=KindCaps(create=True, list=True))}
    CONCURRENCY = 4

    gate = threading.Event()
    begun = threading.Semaphore(0)
    ended: list[str] = []

    def check(self, cx: Ctx) -> Health:
        return Health(self.settings.greeting)

    def get(self, cx: Ctx, kind: str, id: str) -> Record | None:
        return getattr(self, f"get_{id}")(cx)

    def get_plain(self, cx: Ctx) -> Any:
        return Record("account", "plain", AccountState.ENABLED, {"title": [f"{cx.op_id} {cx.attempt} {cx.dry_run}"]})

    def get_none(self, cx: Ctx) -> Any:
        return None

    def get_refused(self, cx: Ctx) -> Any:
        raise ConnError.forbidden("not this one", native_code=7)

    def get_odd(self, cx: Ctx) -> Any:
        raise ConnError.permanent("\ud800", attribute=7)  # type: ignore[arg-type]

    def get_broken(self, cx: Ctx) -> Any:
        raise KeyError("Testperson 12 Example")

    def get_noisy(self, cx: Ctx) -> Any:
        print("this is no message", flush=True)
        os.system("echo neither is this")
        return None

    def get_waits(self, cx: Ctx) -> Any:
        self.begun.release()
        self.gate.wait(10)
        return None

    def get_secret(self, cx: Ctx) -> Any:
        secret = cx.host.secret(SecretRef("env", "TOKEN"))
        return Record("account", "secret", AccountState.ENABLED, {"length": [len(secret)]})

    def get_asks(self, cx: Ctx) -> Any:
        try:
            answer = cx.host.http("POST", "http://127.0.0.1/x", json={"a": "ä"}, headers={"x-y": "z"})
            return Record("account", "asks", AccountState.ENABLED, {"body": [answer.body]})
        except ConnError as error:
            self.ended.append(str(error.sort))
            raise

    def list_page(self, cx: Ctx, kind: str, cursor: str | None, size: int) -> Page:
        big = Record("account", "x", AccountState.ENABLED, {"text": ["x" * 1000]})
        return Page([big] * size)

    def create(self, cx: Ctx, *_: Any) -> Created:
        return Created("made")

    def update(self, cx: Ctx, *_: Any) -> Updated:
        return Updated()


class Conversation(unittest.TestCase):
    def setUp(self) -> None:
        Sample.gate.clear()
        Sample.ended.clear()
        self.host = TestHost({"TOKEN": "test-only-token"})
        self.plugin = Dialogue.within(Sample, self.host)
        self.addCleanup(Sample.gate.set)

    def open(self) -> dict[str, Any]:
        return self.plugin.start({})

    def get(self, id: str, **more: Any) -> Any:
        return self.plugin.call("get", kind="account", id=id, **more)

    def refused(self, code: int, method: str, params: Any) -> None:
        with self.assertRaises(Refusal) as caught:
            self.plugin.request(method, params)
        self.assertEqual(caught.exception.code, code, method)

    def test_the_greeting_tells_who_it_is_and_what_it_can(self) -> None:
        greeting = self.open()
        self.assertEqual((greeting["spi"], greeting["name"], greeting["features"]), ([1, 0], "sample", ["list"]))
        self.assertEqual(greeting["configSchema"]["properties"]["greeting"]["type"], "string")

    def test_work_that_was_taken_on_is_told_of_by_its_ticket(self) -> None:
        class Desk(Sample):
            def create(self, cx: Ctx, *_: Any) -> Created:
                return Created("", pending=Pending("T1", 2.5))

            def ticket(self, cx: Ctx, kind: str, ticket: str) -> TicketState:
                return {
                    "new": TicketState(),
                    "gone": TicketState(done=True),
                    "made": TicketState(done=True, id="7"),
                }.get(ticket) or TicketState(refused=ConnError.invalid("no such unit", attribute="unit"))

        self.plugin = Dialogue.within(Desk, self.host)
        self.assertEqual(self.plugin.start({})["features"], ["list", "tickets"])
        created = self.plugin.call("create", kind="account", attrs={}, state="enabled", entitlements=[])
        self.assertEqual(created["pending"], {"ticket": "T1", "pollAfterMs": 2500})
        told = {ticket: self.plugin.call("ticket", kind="account", ticket=ticket) for ticket in ("new", "gone", "made", "no")}
        self.assertEqual((told["new"], told["gone"], told["made"]), ("open", {"done": {}}, {"done": {"id": "7"}}))
        self.assertEqual((told["no"]["refused"]["class"], told["no"]["refused"]["attribute"]), ("Invalid", "unit"))

    def test_versions_without_one_in_common_are_refused(self) -> None:
        self.refused(-32001, "initialize", {"spi": [9999]})
        self.plugin.request("initialize", {"spi": [7, 1], "fromTheFuture": {}})

    def test_nothing_goes_before_the_greeting_and_no_call_before_open(self) -> None:
        self.refused(-32002, "ping", {})
        self.plugin.request("initialize", {"spi": [1]})
        self.assertEqual(self.plugin.request("ping", {}), {})
        self.refused(-32002, "check", {})
        self.refused(-32600, "initialize", {"spi": [1]})

    def test_a_bad_configuration_is_told_by_its_pointer(self) -> None:
        self.plugin.request("initialize", {"spi": [1]})
        issues = self.plugin.request("check_config", {"config": {"greeting": 7}})["issues"]
        self.assertEqual([issue["pointer"] for issue in issues], ["/greeting"])
        with self.assertRaises(Refusal) as caught:
            self.plugin.request("open", {"config": {"greeting": 7}, "target": "t"})
        self.assertEqual((caught.exception.data["class"], caught.exception.data["attribute"]), ("Config", "/greeting"))
        self.plugin.request("open", {"config": {"greeting": "hi"}, "target": "t"})
        self.assertEqual(self.plugin.call("check")["server"], "hi")

    def test_what_comes_with_a_call_reaches_it(self) -> None:
        self.open()
        record = self.get("plain", cx={"opId": "op-7", "attempt": 3, "dryRun": True, "fromTheFuture": 1})
        self.assertEqual(record["attrs"]["title"], ["op-7 3 True"])
        self.assertIsNone(self.get("none"))

    def test_errors_keep_their_class_and_accidents_are_unknown_and_say_nothing_personal(self) -> None:
        self.open()
        for id, sort, effect in [("refused", "Forbidden", "none"), ("broken", "Unknown", "maybe")]:
            with self.assertRaises(Refusal) as caught:
                self.get(id)
            data = caught.exception.data
            self.assertEqual((caught.exception.code, data["class"], data["effect"]), (-32000, sort, effect))
            self.assertNotIn("Testperson", str(data))

    def test_what_is_no_unicode_is_told_all_the_same_and_the_largest_deadline_is_none(self) -> None:
        self.open()
        with self.assertRaises(Refusal) as caught:
            self.get("odd", cx={"deadlineMs": 2**64 - 1})
        self.assertEqual((caught.exception.data["class"], caught.exception.data["attribute"]), ("Permanent", "7"))
        self.assertEqual(self.get("secret", cx={"deadlineMs": 2**64 - 1})["attrs"]["length"], [15])
        self.refused(-32602, "get", {"cx": {"deadlineMs": "soon"}, "kind": "account", "id": "none"})

    def test_a_lint_that_fails_does_not_end_the_plugin(self) -> None:
        def fails(settings: Any) -> Any:
            raise RuntimeError("Testperson 12 Example")

        self.open()
        with unittest.mock.patch.object(Sample, "check_config", fails):
            self.refused(-32603, "check_config", {"config": {}})
        self.assertEqual(self.plugin.request("check_config", {"config": {}}), {"issues": []})

    def test_refusals_in_terms_of_json_rpc(self) -> None:
        self.open()
        self.refused(-32601, "explode", {})
        self.refused(-32602, "get", {"kind": "account"})
        self.refused(-32602, "get", [1])
        self.refused(-32600, "open", {"config": {}})
        for octets, code in [(b"{\n", -32700), (b'"\xff"\n', -32700), (b"[]\n", -32600), (b"[" * 100_000 + b"\n", -32700)]:
            self.plugin.raw(octets)
            with self.assertRaises(Refusal) as caught:
                self.plugin.answer(None)
            self.assertEqual(caught.exception.code, code)
        self.assertEqual(self.plugin.request("ping", {}), {})

    def test_calls_run_at_the_same_time_and_answer_in_any_order(self) -> None:
        self.open()
        waiting = [self.plugin.post("get", {"kind": "account", "id": "waits"}) for _ in range(3)]
        for _ in waiting:
            self.assertTrue(Sample.begun.acquire(timeout=5))
        self.assertIsNone(self.get("none"))
        Sample.gate.set()
        self.assertEqual([self.plugin.answer(number) for number in waiting], [None] * 3)

    def test_more_calls_than_may_run_wait_and_none_is_lost(self) -> None:
        self.open()
        waiting = [self.plugin.post("get", {"kind": "account", "id": "waits"}) for _ in range(12)]
        for _ in range(Sample.CONCURRENCY):
            self.assertTrue(Sample.begun.acquire(timeout=5))
        self.assertFalse(Sample.begun.acquire(timeout=0.1))
        self.assertEqual(self.plugin.request("ping", {}), {})
        Sample.gate.set()
        self.assertEqual([self.plugin.answer(number) for number in waiting], [None] * 12)

    def test_somebody_reads_also_when_the_first_calls_come_before_all_threads_are_there(self) -> None:
        begin = threading.Thread.start

        def slowly(thread: threading.Thread) -> None:
            begin(thread)
            if thread.name in ("call-1", "call-2"):
                time.sleep(0.3)

        with unittest.mock.patch.object(threading.Thread, "start", slowly):
            self.plugin = Dialogue.within(Sample, self.host)
            self.open()
            waiting = [self.plugin.post("get", {"kind": "account", "id": "waits"}) for _ in range(2)]
            for _ in waiting:
                self.assertTrue(Sample.begun.acquire(timeout=5))
            threading.Timer(3, Sample.gate.set).start()
            self.assertEqual(self.plugin.request("ping", {}), {})
            self.assertFalse(Sample.gate.is_set(), "the ping was answered while both calls were waiting")
        Sample.gate.set()
        self.assertEqual([self.plugin.answer(number) for number in waiting], [None] * 2)

    def test_a_secret_and_a_page_come_from_the_host(self) -> None:
        self.host.network = lambda method, url, headers, body: HttpResponse(200, [("x", "y")], body + b"\xff")
        self.open()
        self.assertEqual(self.get("secret")["attrs"]["length"], [15])
        octets = base64.b64encode('{"a":"ä"}'.encode() + b"\xff").decode()
        self.assertEqual(self.get("asks")["attrs"]["body"], [{"bytes": octets}])

    def test_an_error_of_the_host_reaches_the_connector_and_comes_back_as_it_is(self) -> None:
        self.open()
        with self.assertRaises(Refusal) as caught:
            self.get("asks")
        self.assertEqual(caught.exception.data["class"], "Config")

    def test_a_cancelled_call_no_longer_waits_for_the_host(self) -> None:
        asked = threading.Event()

        def silent(*_: Any) -> HttpResponse:
            asked.set()
            time.sleep(3)
            return HttpResponse(200, [], b"")

        self.host.network = silent
        self.open()
        number = self.plugin.post("get", {"kind": "account", "id": "asks", "cx": {"deadlineMs": 9000}})
        self.assertTrue(asked.wait(5))
        begun = time.monotonic()
        self.plugin.notify("cancel", {"id": number})
        with self.assertRaises(Refusal):
            self.plugin.answer(number)
        self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual(Sample.ended, ["Timeout"])
        self.assertEqual(len(self.plugin.given_up), 1)

    def test_the_deadline_ends_a_wait_for_the_host(self) -> None:
        self.host.network = lambda *_: (time.sleep(3), HttpResponse(200, [], b""))[1]
        self.open()
        begun = time.monotonic()
        with self.assertRaises(Refusal) as caught:
            self.get("asks", cx={"deadlineMs": 300})
        self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual((caught.exception.data["class"], caught.exception.data["effect"]), ("Timeout", "maybe"))

    def test_a_dry_run_never_reaches_a_connector_that_has_none(self) -> None:
        self.open()
        made = {"kind": "account", "attrs": {}, "state": "enabled", "entitlements": []}
        self.assertEqual(self.plugin.call("create", **made)["id"], "made")
        with self.assertRaises(Refusal) as caught:
            self.plugin.call("create", cx={"dryRun": True}, **made)
        self.assertEqual(caught.exception.data["class"], "Unsupported")

    def test_an_answer_larger_than_a_frame_is_an_error(self) -> None:
        self.open()
        self.assertEqual(len(self.plugin.call("list", kind="account", cursor=None, size=100)["items"]), 100)
        with self.assertRaises(Refusal) as caught:
            self.plugin.call("list", kind="account", cursor=None, size=MAX_FRAME // 1000 + 10)
        self.assertEqual(caught.exception.data["class"], "Permanent")

    def test_a_line_longer_than_a_frame_ends_the_conversation(self) -> None:
        self.open()
        try:
            self.plugin.raw(b" " * (MAX_FRAME + 2))
        except OSError:
            pass  # It hung up in the middle.
        with self.assertRaises((Refusal, EOFError)):
            self.plugin.answer(None)


class Process(unittest.TestCase):
    COMMAND = [sys.executable, "-c", "from tests.test_session import Sample; from chartgate_plugin import serve; serve(Sample)"]

    def test_what_is_printed_never_comes_between_messages(self) -> None:
        plugin, child = Dialogue.child(self.COMMAND, cwd=ROOT, stderr=subprocess.PIPE)
        plugin.start({})
        self.assertIsNone(plugin.call("get", kind="account", id="noisy"))
        self.assertEqual(plugin.request("shutdown", {}), {})
        self.assertEqual(child.wait(5), 0)
        self.assertEqual(plugin.noise, [])
        assert child.stderr is not None
        self.assertEqual(child.stderr.read(), b"this is no message\nneither is this\n")
        self._close(child)

    def test_an_accident_is_told_on_standard_error_without_its_words(self) -> None:
        plugin, child = Dialogue.child(self.COMMAND, cwd=ROOT, stderr=subprocess.PIPE)
        plugin.start({})
        with self.assertRaises(Refusal):
            plugin.call("get", kind="account", id="broken")
        plugin.request("shutdown", {})
        assert child.stderr is not None
        told = child.stderr.read().decode()
        self.assertIn("KeyError", told)
        self.assertIn("get_broken", told)
        self.assertNotIn("Testperson", told)
        child.wait(5)
        self._close(child)

    def test_shutdown_ends_the_process_although_a_call_hangs(self) -> None:
        plugin, child = Dialogue.child(self.COMMAND, cwd=ROOT)
        plugin.start({})
        plugin.post("get", {"kind": "account", "id": "waits"})
        time.sleep(0.2)
        begun = time.monotonic()
        self.assertEqual(plugin.request("shutdown", {}), {})
        self.assertEqual(child.wait(5), 0)
        self.assertLess(time.monotonic() - begun, 5)
        self._close(child)

    def test_the_process_ends_when_the_host_is_gone(self) -> None:
        plugin, child = Dialogue.child(self.COMMAND, cwd=ROOT)
        plugin.start({})
        assert child.stdin is not None
        child.stdin.close()
        self.assertEqual(child.wait(5), 0)
        self._close(child)

    def test_a_socket_serves_one_host_after_another(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "plugin.sock")
            child = subprocess.Popen([*self.COMMAND, "--socket", path, "--mode", "600"], cwd=ROOT)
            try:
                for _ in range(200):
                    if os.path.exists(path) and os.stat(path).st_mode & 0o777 == 0o600:
                        break
                    time.sleep(0.02)
                for greeting in ("first", "second"):
                    host = socket.socket(socket.AF_UNIX)
                    for _ in range(100):
                        try:
                            host.connect(path)
                            break
                        except ConnectionRefusedError:
                            time.sleep(0.02)
                    plugin = Dialogue(host.makefile("rb"), host.sendall, TestHost())
                    plugin.start({"greeting": greeting})
                    self.assertEqual(plugin.call("check")["server"], greeting)
                    self.assertEqual(plugin.request("shutdown", {}), {})
                    host.close()
            finally:
                child.kill()
                child.wait()

    @staticmethod
    def _close(child: subprocess.Popen[bytes]) -> None:
        for file in (child.stdin, child.stdout, child.stderr):
            if file is not None:
                file.close()


    def test_a_process_that_gets_no_more_threads_goes_on_with_those_that_it_has(self) -> None:
        limited = "import threading; start = threading.Thread.start; left = [4]\n"
        limited += "def few(self):\n    left[0] -= 1\n    if left[0] < 0: raise RuntimeError()\n    start(self)\n"
        limited += "threading.Thread.start = few\n" + self.COMMAND[2]
        plugin, child = Dialogue.child([sys.executable, "-c", limited], cwd=ROOT)
        plugin.start({})
        asked = [plugin.post("get", {"kind": "account", "id": "secret"}) for _ in range(12)]
        with self.assertRaises(Refusal) as caught:
            plugin.answer(asked[0])  # The host of this test has no secret.
        self.assertEqual(caught.exception.data["class"], "Config")
        for number in asked[1:]:
            with self.assertRaises(Refusal):
                plugin.answer(number)
        self.assertEqual(plugin.request("shutdown", {}), {})
        child.wait(5)
        self._close(child)


class Loopback(unittest.TestCase):
    def test_the_network_of_tests_reaches_this_machine_only(self) -> None:
        with self.assertRaises(ConnError):
            loopback("GET", "http://pager.example/", [], b"")


if __name__ == "__main__":
    unittest.main()
