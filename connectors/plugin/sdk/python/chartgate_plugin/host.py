"""The gateway, as a plugin sees it."""

from __future__ import annotations

import json as jsonlib
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import Cancelled, Class, ConnError
from .settings import SecretRef

#: Largest body of an answer that is asked for unless a call says otherwise, in octets.
MAX_BODY = 1 << 20
#: Longest wait for an answer over HTTP unless a call says otherwise, in seconds.
TIMEOUT = 30.0


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer to a request over HTTP."""

    status: int
    """The status."""
    headers: list[tuple[str, str]]
    """Header fields, names in lower case."""
    body: bytes
    """The body."""

    def header(self, name: str) -> str | None:
        """The first header field of this name, in any letter case."""
        name = name.lower()
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The body as JSON.

        :raises ConnError: ``Unknown`` where it is none, as when a web page stands in its place.
        """
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            raise ConnError.unknown("the answer is no JSON", native_code=self.status) from None


#: What a status means where the target's own words say nothing better (the contract, section 3).
_CLASSES = {
    400: Class.INVALID,
    401: Class.AUTH,
    403: Class.FORBIDDEN,
    404: Class.NOT_FOUND,
    408: Class.TRANSIENT,
    409: Class.ALREADY_EXISTS,
    410: Class.NOT_FOUND,
    412: Class.STALE_VERSION,
    422: Class.INVALID,
    429: Class.THROTTLED,
    502: Class.TRANSIENT,
    503: Class.TRANSIENT,
    504: Class.TIMEOUT,
}


def http_error(response: HttpResponse, message: str | None = None, **more: Any) -> ConnError:
    """The error that a status stands for: 401 is ``Auth``, 429 ``Throttled``, 503 ``Transient`` and so on. ``Retry-After`` in
    seconds is kept; a 503 that has it is ``Throttled``. Do not put the answer's body into ``message``: it may hold personal data.
    """
    status, wait = response.status, response.header("retry-after")
    sort = _CLASSES.get(status)
    if sort is None:
        if status < 300 or status >= 500:
            sort = Class.UNKNOWN
        else:
            sort = Class.CONFIG if status < 400 else Class.PERMANENT
    if wait is not None and wait.strip().isdigit() and sort in (Class.THROTTLED, Class.TRANSIENT):
        sort = Class.THROTTLED if status in (429, 503) else sort
        more.setdefault("retry_after", float(wait))
    return ConnError(sort, message or f"the target answered {status}", native_code=status, **more)


class Host(ABC):
    """Everything a plugin may ask of the gateway. Safe to use from any thread."""

    @abstractmethod
    def secret(self, reference: SecretRef) -> str:
        """Reads a secret anew. Keep it no longer than you need it: it may be replaced while the plugin runs.

        :raises ConnError: ``Config`` when it cannot be read.
        """

    @abstractmethod
    def send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, timeout: float, max_body: int
    ) -> HttpResponse:
        """Sends a request through the gateway's one door to the network; see :meth:`http`."""

    @abstractmethod
    def event(self, level: Level, message: str, **fields: str) -> None:
        """Tells something that is worth a line in the log. Fields hold ids, never a person's data or a secret."""

    def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | str = b"",
        json: Any = None,
        timeout: float = TIMEOUT,
        max_body: int = MAX_BODY,
    ) -> HttpResponse:
        """Sends a request under the gateway's allow-list, TLS, limits and rate; redirects are not followed. ``json`` becomes the
        body. Any status is an answer: see :func:`http_error`.

        :raises ConnError: when there is no answer; its effect says whether the request may have arrived.
        """
        all_headers = list((headers or {}).items())
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":"))
            all_headers.append(("content-type", "application/json"))
        octets = body.encode() if isinstance(body, str) else body
        return self.send(method.upper(), url, all_headers, octets, timeout, max_body)


class Ctx:
    """What comes with every call."""

    __slots__ = ("op_id", "attempt", "deadline", "dry_run", "leaver", "bulk", "host", "cancelled")

    def __init__(
        self,
        op_id: str,
        host: Host,
        *,
        attempt: int = 1,
        seconds: float = 30.0,
        dry_run: bool = False,
        leaver: bool = False,
        bulk: bool = False,
    ) -> None:
        #: The same over all attempts of one change, another for the next: the target's idempotency key where it has one.
        self.op_id = op_id
        #: 1 on the first attempt.
        self.attempt = attempt
        #: When the caller gives up, on :func:`time.monotonic`'s clock.
        self.deadline = time.monotonic() + seconds
        #: Validate and say what would be sent by ``host.event``; write nothing.
        self.dry_run = dry_run
        #: The call closes access.
        self.leaver = leaver
        #: The call belongs to bulk work.
        self.bulk = bulk
        #: The gateway.
        self.host = host
        #: The caller has given up.
        self.cancelled = False

    def time_left(self) -> float:
        """Seconds until the caller gives up; never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """For long work between calls of the host: ends it once nobody waits any more.

        :raises ConnError: when the caller has given up or the time is over.
        """
        if self.cancelled:
            raise Cancelled()
        if self.time_left() <= 0:
            raise ConnError.timeout("the time of the call is over")
