"""One conversation with a host: reads requests, does them on a few threads, answers in any order.

Threads take turns in reading. The one that reads a request hands the reading on and does the request itself: so a call costs
no hand-over between threads, and somebody always reads, also while every other thread waits for the host.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, BinaryIO, Callable

from . import __version__ as sdk_version
from .asking import Call, Waiter
from .calls import Calls
from .connector import Connector, features
from .errors import Cancelled, ConnError, Effect
from .settings import Refused, json_schema, parse
from .values import Malformed

#: The contract that this SDK speaks, as major and minor version.
SPI = (1, 0)
#: Longest line in octets, with its end.
MAX_FRAME = 4 << 20
#: Calls that wait for a thread; more are refused.
BACKLOG = 256
#: Host calls in flight; more are refused.
MAX_HOST_CALLS = 64
#: Longest time in seconds that running calls are given when the conversation ends.
GRACE = 3.0

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


class RpcError(Exception):
    """A refusal in JSON-RPC's own terms."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """A conversation over a reader and a writer."""

    def __init__(self, kind: type[Connector], reader: BinaryIO, write: Callable[[bytes], None]) -> None:
        self._kind, self._reader, self._write = kind, reader, write
        self._out, self._lead, self._count = threading.Lock(), threading.Lock(), threading.Lock()
        self._threads = self._busy = 0
        self._most = max(1, kind.CONCURRENCY)
        # A class that is no settings class is told at the start, not to the first host.
        self._schema = json_schema(kind.SETTINGS)
        self._backlog: deque[tuple[Call, str, dict[str, Any]]] = deque()
        self._running: dict[Any, Call] = {}
        self._waiting: dict[int, Waiter] = {}
        self._numbers = itertools.count(1)
        self._greeted = self._ended = False
        self._calls: Calls | None = None
        self.finished = threading.Event()

    def run(self) -> None:
        """Serves until the host is gone or says `shutdown`."""
        # One to read and one to work: what follows may fail to get more. The first one begins at once, and must not count how
        # many there are before they are all there: with one too few in its count, all would work and nobody read.
        with self._count:
            self._add_thread()
            self._add_thread()
        self.finished.wait()
        end = time.monotonic() + GRACE
        while self._busy and time.monotonic() < end:
            time.sleep(0.01)
        calls, self._calls = self._calls, None
        if calls is not None:
            try:
                calls.connector.close()
            except Exception as error:  # noqa: BLE001: the end comes all the same
                _tell(error)

    # Reading

    def _add_thread(self) -> None:
        """Only with the count held."""
        threading.Thread(target=self._work, name=f"call-{self._threads + 1}", daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        """Reads until a request comes, hands the reading on, does the request and those that wait; again."""
        while True:
            with self._lead:
                job = None if self._ended else self._next()
                if job is None:
                    self._end()
                    return
            while job is not None:
                self._do(*job)
                with self._count:
                    if self._backlog:
                        job = self._backlog.popleft()
                    else:
                        self._busy -= 1
                        job = None

    def _next(self) -> tuple[Call, str, dict[str, Any]] | None:
        """The next request that needs a thread. `None`: the conversation is over."""
        while not self._ended:
            try:
                line = self._reader.readline(MAX_FRAME + 1)
            except (OSError, ValueError):
                return None
            if not line.endswith(b"\n"):
                if line:
                    self._refuse(None, -32700, "the line is longer than a frame may be, or was cut")
                return None
            try:
                message = _decode(str(line, "utf-8"))
            except (ValueError, RecursionError):
                self._refuse(None, -32700, "the line is no JSON in UTF-8")
                continue
            if message.__class__ is not dict:
                self._refuse(None, -32600, "a message is an object")
                continue
            method = message.get("method")
            if method is None:
                self._answered(message)
                continue
            try:
                job = self._take(message.get("id"), method, message.get("params") or {})
            except RpcError as error:
                self._refuse(message.get("id"), error.code, str(error))
                continue
            except (Malformed, ValueError, TypeError, OverflowError):
                self._refuse(message.get("id"), -32602, "the parameters do not fit the method")
                continue
            except Exception as error:  # noqa: BLE001: the one who reads must not end by it
                _tell(error)
                self._refuse(message.get("id"), -32603, f"the plugin failed: {type(error).__name__}")
                continue
            if job is not None:
                return job
        return None

    def _take(self, id: Any, method: str, params: Any) -> tuple[Call, str, dict[str, Any]] | None:
        """Does what is quick at once; everything else is a job."""
        if params.__class__ is not dict:
            raise RpcError(-32602, "parameters are an object")
        if id is None:
            if method == "cancel" and (call := self._running.get(params.get("id"))) is not None:
                call.cancel()
            return None
        if method == "initialize":
            self._answer(id, self._greet(params))
            return None
        if not self._greeted:
            raise RpcError(-32002, "initialize comes first")
        if method == "ping":
            self._answer(id, {})
            return None
        if method == "check_config":
            self._answer(id, {"issues": self._lint(params.get("config"))})
            return None
        if method == "shutdown":
            self._ended = True
            self._answer(id, {})
            return None
        if method != "open" and self._calls is None:
            raise RpcError(-32002, "open comes first")
        if method != "open" and method not in Calls.METHODS:
            raise RpcError(-32601, "there is no such method")
        if id in self._running:
            raise RpcError(-32600, "a request of this id is being done")
        call = Call(self, id, params.get("cx") or {})
        with self._count:
            if self._busy >= self._most:
                if len(self._backlog) >= BACKLOG:
                    self._put(_failed(id, ConnError.transient("too many calls at a time")))
                    return None
                self._running[id] = call
                self._backlog.append((call, method, params))
                return None
            self._running[id] = call
            if self._busy + 1 >= self._threads:
                try:
                    self._add_thread()
                except RuntimeError:
                    # The process may have no more threads: those that it has go on.
                    self._most = self._busy
                    self._backlog.append((call, method, params))
                    return None
            self._busy += 1
        return call, method, params

    def _greet(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._greeted:
            raise RpcError(-32600, "initialize comes once")
        offered = params.get("spi")
        if not isinstance(offered, list) or SPI[0] not in offered:
            raise RpcError(-32001, f"this plugin speaks version {SPI[0]} of the contract")
        self._greeted = True
        return {
            "spi": list(SPI),
            "name": self._kind.NAME,
            "version": self._kind.VERSION,
            "sdk": {"name": "chartgate-plugin-python", "version": sdk_version},
            "configSchema": self._schema,
            "features": features(self._kind),
        }

    def _lint(self, config: Any) -> list[dict[str, Any]]:
        try:
            issues = self._kind.check_config(parse(self._kind.SETTINGS, config))
        except Refused as refused:
            issues = refused.issues
        return [issue.wire() for issue in issues]

    # Doing

    def _do(self, call: Call, method: str, params: dict[str, Any]) -> None:
        try:
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": call.id, "result": self._perform(call, method, params)}
            line = _encode(answer).encode() + b"\n"
            if len(line) > MAX_FRAME:
                raise ConnError.permanent("the answer is larger than a frame may be", effect=Effect.MAYBE)
        except (Malformed, RpcError) as error:
            code = error.code if isinstance(error, RpcError) else -32602
            line = _encode({"jsonrpc": "2.0", "id": call.id, "error": {"code": code, "message": str(error)}}).encode() + b"\n"
        except ConnError as error:
            line = _failed(call.id, error)
        except BaseException as error:  # noqa: B036: whatever it was, the host is told
            _tell(error)
            line = _failed(call.id, ConnError.unknown(f"the plugin failed: {type(error).__name__}"))
        self._running.pop(call.id, None)
        self._put(line)

    def _perform(self, call: Call, method: str, params: dict[str, Any]) -> Any:
        if call.cx.cancelled:
            raise Cancelled()
        if method != "open":
            calls = self._calls
            if calls is None:
                raise Cancelled()
            return calls.perform(method, call.cx, params)
        if self._calls is not None:
            raise RpcError(-32600, "open comes once")
        try:
            settings = parse(self._kind.SETTINGS, params.get("config"))
        except Refused as refused:
            raise ConnError.config(str(refused), attribute=refused.issues[0].pointer) from None
        issues = self._kind.check_config(settings)
        if issues:
            raise ConnError.config(f"{issues[0].pointer}: {issues[0].message}", attribute=issues[0].pointer)
        # The connector may keep its host: this one belongs to no call and has no deadline of its own.
        lasting = Call(self, None, {})
        lasting.cx.deadline = math.inf
        self._calls = Calls(self._kind(settings, lasting))
        return {}

    # The host's answers

    def ask(self, method: str, params: dict[str, Any], wait: float, call: Call, maybe: bool) -> Any:
        """Asks the host and waits. `maybe`: the target may have changed if the answer does not come."""
        if len(self._waiting) >= MAX_HOST_CALLS:
            raise ConnError.transient("too many calls of the host at a time")
        number, waiter = next(self._numbers), Waiter()
        self._waiting[number] = waiter
        call.waiting.add(number)
        try:
            self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            # Cancelled or ended between the last look and the entry above: nobody would wake us.
            if self._ended or call.cx.cancelled:
                self.settle(number, Cancelled())
            if not waiter.wait(wait):
                if self._waiting.pop(number, None) is not None:
                    self._give_up(number)
                    raise ConnError.timeout("the host did not answer in time", effect=Effect.MAYBE if maybe else Effect.NONE)
                # The answer came at the last moment: who took the wait away is about to say it.
                waiter.wait(None)
            if isinstance(waiter.outcome, Cancelled):
                self._give_up(number)
        finally:
            call.waiting.discard(number)
        if isinstance(waiter.outcome, ConnError):
            raise waiter.outcome
        return waiter.outcome

    def _give_up(self, number: int) -> None:
        """The host need not go on with it."""
        self.send({"jsonrpc": "2.0", "method": "cancel", "params": {"id": number}})

    def settle(self, number: int, outcome: Any) -> None:
        """Ends one wait; an answer that nobody waits for is dropped."""
        waiter = self._waiting.pop(number, None)
        if waiter is not None:
            waiter.finish(outcome)

    def _answered(self, message: dict[str, Any]) -> None:
        number, error = message.get("id"), message.get("error")
        if number.__class__ is not int:
            return
        if error is None:
            result = message.get("result")
            self.settle(number, result if isinstance(result, dict) else {})
        elif isinstance(error, dict) and isinstance(error.get("data"), dict):
            self.settle(number, ConnError.read(error["data"]))
        else:
            self.settle(number, ConnError.unknown("the host refused the request"))

    # Writing

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message."""
        line = _encode(message).encode() + b"\n"
        if len(line) > MAX_FRAME:
            raise ConnError.permanent("the message is larger than a frame may be")
        self._put(line)

    def _put(self, line: bytes) -> None:
        try:
            with self._out:
                self._write(line)
        except OSError:
            # The host is gone; whoever reads finds out as well.
            self._ended = True

    def _answer(self, id: Any, result: Any) -> None:
        self.send({"jsonrpc": "2.0", "id": id, "result": result})

    def _refuse(self, id: Any, code: int, message: str) -> None:
        self.send({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})

    def _end(self) -> None:
        self._ended = True
        for call in list(self._running.values()):
            call.cancel()
        for number in list(self._waiting):
            self.settle(number, Cancelled())
        self.finished.set()


def _failed(id: Any, error: ConnError) -> bytes:
    failure = {"code": -32000, "message": error.message, "data": error.wire()}
    # A text that is no Unicode must not keep an error from being told.
    return _encode({"jsonrpc": "2.0", "id": id, "error": failure}).encode("utf-8", "replace") + b"\n"


def _tell(error: BaseException) -> None:
    """Where it happened, without the exception's words: they may hold a person's data or a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    print(f"{type(error).__name__} at {places}", file=sys.stderr, flush=True)

