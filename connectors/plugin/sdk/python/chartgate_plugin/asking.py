"""What a call asks of the host: the wait for the answer, and the host as that call sees it."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING, Any

from .errors import Cancelled, ConnError
from .host import Ctx, Host, HttpResponse, Level
from .settings import SecretRef
from .values import octets_read

if TYPE_CHECKING:
    from .session import Session

#: Longest deadline in seconds.
LONGEST = 86_400.0


class Waiter:
    """A thread that waits for the host's answer."""

    __slots__ = ("_done", "outcome")

    def __init__(self) -> None:
        self._done = threading.Lock()
        self._done.acquire()
        self.outcome: Any = None

    def finish(self, outcome: Any) -> None:
        self.outcome = outcome
        self._done.release()

    def wait(self, seconds: float | None) -> bool:
        return self._done.acquire(timeout=-1 if seconds is None else max(0.0, seconds))


class Call(Host):
    """A request of the host that is being done, and the host as that request sees it."""

    __slots__ = ("session", "id", "cx", "waiting")

    def __init__(self, session: Session, id: Any, wire: dict[str, Any]) -> None:
        self.session, self.id = session, id
        self.waiting: set[int] = set()
        self.cx = Ctx(
            str(wire.get("opId", "")),
            self,
            attempt=int(wire.get("attempt", 1)),
            # A host without a deadline says the largest number that it has.
            seconds=min(int(wire.get("deadlineMs", 30_000)) / 1000, LONGEST),
            dry_run=wire.get("dryRun") is True,
            leaver=wire.get("leaver") is True,
            bulk=wire.get("bulk") is True,
        )

    def _ask(self, method: str, params: dict[str, Any], wait: float, maybe: bool) -> Any:
        self.cx.check()
        if isinstance(self.id, int):
            params["call"] = self.id
        return self.session.ask(method, params, min(wait, self.cx.time_left()), self, maybe)

    def secret(self, reference: SecretRef) -> str:
        answer = self._ask("host.secret", {"reference": reference.wire()}, 30.0, False)
        return str(answer["secret"])

    def send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, timeout: float, max_body: int
    ) -> HttpResponse:
        writes = method not in ("GET", "HEAD", "OPTIONS")
        if writes and self.cx.dry_run:
            raise ConnError.unsupported("a dry run sends nothing that writes")
        left = min(timeout, self.cx.time_left(), LONGEST)
        # The host's own word about a lost answer says more than ours: it gets the time to say it.
        asked = {"timeoutMs": max(1, round((left - min(0.1, left / 10)) * 1000)), "maxBody": max_body}
        wire = {"method": method, "url": url, "headers": headers, **asked}
        if body:
            wire["body"] = _body_wire(body)
        answer = self._ask("host.http", wire, left, writes)
        headers = [(str(name).lower(), str(value)) for name, value in answer.get("headers", [])]
        return HttpResponse(int(answer["status"]), headers, _body_read(answer.get("body")))

    def event(self, level: Level, message: str, **fields: str) -> None:
        texts = {name: str(value) for name, value in fields.items()}
        params: dict[str, Any] = {"level": Level(level).value, "message": message, "fields": texts}
        if isinstance(self.id, int):
            params["call"] = self.id
        self.session.send({"jsonrpc": "2.0", "method": "host.event", "params": params})

    def cancel(self) -> None:
        """Nobody waits for it any more: what it waits for ends at once."""
        self.cx.cancelled = True
        for number in list(self.waiting):
            self.session.settle(number, Cancelled())


def _body_wire(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(body).decode("ascii")}


def _body_read(wire: Any) -> bytes:
    if wire is None:
        return b""
    if isinstance(wire, str):
        return wire.encode()
    return octets_read(wire.get("bytes") if isinstance(wire, dict) else None)
