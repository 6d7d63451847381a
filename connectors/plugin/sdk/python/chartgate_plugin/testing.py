"""For tests of a plugin: a host that gives secrets and remembers events, and a host at the other end of the wire."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import queue
import socket
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from .connector import Connector
from .errors import ConnError
from .host import Ctx, Host, HttpResponse, Level
from .session import MAX_FRAME, Session
from .settings import SecretRef

#: Answers one request: method, address, header fields, body.
Network = Callable[[str, str, list[tuple[str, str]], bytes], HttpResponse]


def loopback(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> HttpResponse:
    """A network for tests: plain HTTP to a server on this machine, and to no other."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
        raise ConnError.config("only http://127.0.0.1 is open to a test")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=10)
    try:
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        fields = [(name.lower(), value) for name, value in answer.getheaders()]
        return HttpResponse(answer.status, fields, answer.read())
    except ConnectionRefusedError:
        raise ConnError.transient("the connection is refused") from None
    except (OSError, http.client.HTTPException):
        raise ConnError.timeout("the connection was lost") from None
    finally:
        connection.close()


class TestHost(Host):
    """A gateway without a wire: for unit tests that call a connector's methods directly."""

    __test__ = False  # No test case, whatever a test runner thinks of its name.

    def __init__(self, secrets: Mapping[str, str] | None = None, network: Network | None = None) -> None:
        #: By the name of the variable or the path of the file.
        self.secrets = dict(secrets or {})
        self.network = network
        #: What was told, as level, message and fields.
        self.events: list[tuple[Level, str, dict[str, str]]] = []

    def secret(self, reference: SecretRef) -> str:
        if reference.name not in self.secrets:
            raise ConnError.config("the secret cannot be read")
        return self.secrets[reference.name]

    def send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, timeout: float, max_body: int
    ) -> HttpResponse:
        if self.network is None:
            raise ConnError.config("this host has no network")
        return self.network(method, url, headers, body)

    def event(self, level: Level, message: str, **fields: str) -> None:
        self.events.append((level, message, fields))

    def cx(self, **more: Any) -> Ctx:
        """What comes with a call: an id of its own, 30 seconds, first attempt."""
        return Ctx(more.pop("op_id", "test-" + os.urandom(4).hex()), self, **more)


class Refusal(Exception):
    """The plugin answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.code: int = error["code"]
        #: The contract's error, where it is one.
        self.data: dict[str, Any] = error.get("data") or {}


class Dialogue:
    """The host's end of the wire: sends requests, gives the plugin what it asks for, keeps what it was told."""

    def __init__(self, reader: BinaryIO, write: Callable[[bytes], None], host: TestHost) -> None:
        self.host = host
        self._write, self._reader = write, reader
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._answers: dict[Any, queue.SimpleQueue[Any]] = {}
        #: Lines of the plugin that are no message.
        self.noise: list[bytes] = []
        #: Requests of the plugin that it no longer waits for.
        self.given_up: list[int] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @classmethod
    def within(cls, connector: type[Connector], host: TestHost | None = None) -> Dialogue:
        """With a connector in this process."""
        ours, theirs = socket.socketpair()
        session = Session(connector, theirs.makefile("rb"), theirs.sendall)
        threading.Thread(target=session.run, daemon=True).start()
        return cls(ours.makefile("rb"), ours.sendall, host or TestHost())

    @classmethod
    def child(cls, command: list[str], host: TestHost | None = None, **more: Any) -> tuple[Dialogue, subprocess.Popen[bytes]]:
        """With a process that it starts. End it with ``shutdown``, or kill it."""
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, **more)
        assert child.stdin is not None and child.stdout is not None
        stdin = child.stdin
        return cls(os.fdopen(os.dup(child.stdout.fileno()), "rb"), lambda line: _all(stdin.fileno(), line), host or TestHost()), child

    def start(self, config: Any) -> dict[str, Any]:
        """Greets and opens; the answer to the greeting."""
        greeting: dict[str, Any] = self.request("initialize", {"spi": [1], "host": {"name": "test", "version": "0"}})
        self.request("open", {"config": config, "target": "test"})
        return greeting

    def post(self, method: str, params: Any) -> int:
        """Sends a request; :meth:`answer` waits for it."""
        number = next(self._numbers)
        self._answers[number] = queue.SimpleQueue()
        self.raw({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def answer(self, number: int | None, seconds: float = 10) -> Any:
        """The result of a request.

        :raises Refusal: where it is an error.
        """
        message = self._answers.setdefault(number, queue.SimpleQueue()).get(timeout=seconds)
        if message is None:
            raise EOFError("the plugin is gone")
        if "error" in message:
            raise Refusal(message["error"])
        return message["result"]

    def request(self, method: str, params: Any, seconds: float = 10) -> Any:
        """Sends a request and waits for its result."""
        return self.answer(self.post(method, params), seconds)

    def call(self, method: str, seconds: float = 10, **params: Any) -> Any:
        """A call of the contract."""
        cx = {"opId": f"op-{os.urandom(8).hex()}", "attempt": 1, "deadlineMs": round(seconds * 1000)}
        return self.request(method, {"cx": cx | params.pop("cx", {}), **params}, seconds)

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification."""
        self.raw({"jsonrpc": "2.0", "method": method, "params": params})

    def raw(self, message: Any) -> None:
        """Sends a message, or octets as they are."""
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        with self._lock:
            self._write(line)

    def _read(self) -> None:
        while line := self._reader.readline(MAX_FRAME + 1):
            try:
                message = json.loads(line)
            except ValueError:
                self.noise.append(line)
                continue
            if "method" not in message:
                self._answers.setdefault(message.get("id"), queue.SimpleQueue()).put(message)
            elif message["method"] == "cancel":
                self.given_up.append(message["params"]["id"])
            elif message["method"] == "host.event":
                params = message["params"]
                self.host.event(Level(params["level"]), params["message"], **params["fields"])
            else:
                threading.Thread(target=self._serve, args=(message,), daemon=True).start()
        self._reader.close()
        for waiting in list(self._answers.values()):
            waiting.put(None)

    def _serve(self, message: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            answer["result"] = self._give(message["method"], message["params"])
        except ConnError as error:
            answer["error"] = {"code": -32000, "message": error.message, "data": error.wire()}
        self.raw(answer)

    def _give(self, method: str, params: dict[str, Any]) -> Any:
        if method == "host.secret":
            ((place, name),) = params["reference"].items()
            return {"secret": self.host.secret(SecretRef(place, name))}
        body = params.get("body", "")
        octets = base64.b64decode(body["bytes"]) if isinstance(body, dict) else body.encode()
        headers = [(name, value) for name, value in params["headers"]]
        timeout, most = params["timeoutMs"] / 1000, params["maxBody"]
        answer = self.host.send(params["method"], params["url"], headers, octets, timeout, most)
        try:
            text: Any = answer.body.decode()
        except UnicodeDecodeError:
            text = {"bytes": base64.b64encode(answer.body).decode()}
        return {"status": answer.status, "headers": answer.headers, "body": text}


def _all(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]
