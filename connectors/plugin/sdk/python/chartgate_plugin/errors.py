"""What can go wrong in a target, and what that means for the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Class(StrEnum):
    """What sort of failure it was. It alone decides whether the gateway tries again, looks, parks or pauses."""

    TRANSIENT = "Transient"
    """A passing fault, such as a refused connection or a 503. Tried again with back-off."""
    THROTTLED = "Throttled"
    """The target asks for fewer calls."""
    TIMEOUT = "Timeout"
    """No answer in time. The change may have happened."""
    UNKNOWN = "Unknown"
    """An answer that cannot be understood. The change may have happened."""
    ALREADY_EXISTS = "AlreadyExists"
    """A unique value is taken."""
    NOT_FOUND = "NotFound"
    """The record is not there."""
    CONFLICT = "Conflict"
    """Refused by the state of other data."""
    STALE_VERSION = "StaleVersion"
    """The record changed since it was read."""
    INVALID = "Invalid"
    """The target refuses a value; ``attribute`` names it."""
    AUTH = "Auth"
    """The gateway's own credentials are refused. The whole target pauses."""
    FORBIDDEN = "Forbidden"
    """The gateway may not do this one thing."""
    CONFIG = "Config"
    """The configuration is wrong: address, trust, missing secret. The whole target pauses."""
    UNSUPPORTED = "Unsupported"
    """The target cannot do this at all."""
    PERMANENT = "Permanent"
    """Anything else that a repetition does not cure."""


class Effect(StrEnum):
    """Whether the target may have changed although the call failed."""

    NONE = "none"
    """Nothing happened."""
    PARTIAL = "partial"
    """A part of the change happened."""
    MAYBE = "maybe"
    """Nobody knows: the gateway reads before it sends anything else."""


_UNSURE = frozenset({Class.TIMEOUT, Class.UNKNOWN})


class ConnError(Exception):
    """A failed call. ``message`` is for an operator: free of secrets and of personal data.

    Raise it by its class: ``raise ConnError.invalid("at most 80 characters", attribute="displayName")``. The effect is the
    usual one of the class unless you know better.
    """

    def __init__(
        self,
        sort: Class,
        message: str,
        *,
        native_code: str | int | None = None,
        attribute: str | None = None,
        retry_after: float | None = None,
        effect: Effect | None = None,
        existing: str | None = None,
    ) -> None:
        super().__init__(message)
        #: Its class.
        self.sort = sort
        #: Words for an operator.
        self.message = message
        #: The target's own code.
        self.native_code = None if native_code is None else str(native_code)
        #: The attribute, or the entitlement as ``type:value``, that was refused.
        self.attribute = attribute
        #: Not before this many seconds.
        self.retry_after = retry_after
        #: Whether the target may have changed.
        self.effect = effect or (Effect.MAYBE if sort in _UNSURE else Effect.NONE)
        #: The id of the record that stands in the way.
        self.existing = existing

    def __str__(self) -> str:
        code = "" if self.native_code is None else f" ({self.native_code})"
        return f"{self.sort}: {self.message}{code}"

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wire: dict[str, Any] = {"class": self.sort.value, "message": self.message, "effect": self.effect.value}
        if self.native_code is not None:
            wire["nativeCode"] = self.native_code
        if self.attribute is not None:
            wire["attribute"] = self.attribute
        if self.retry_after is not None:
            wire["retryAfterMs"] = max(0, round(self.retry_after * 1000))
        if self.existing is not None:
            wire["existing"] = self.existing
        return wire

    @classmethod
    def read(cls, wire: Any) -> ConnError:
        """From JSON. A class or an effect that this SDK does not know is ``Permanent`` and ``maybe``."""
        if not isinstance(wire, dict):
            return cls(Class.UNKNOWN, "the host answered with an error that says nothing")
        known = {sort.value: sort for sort in Class}
        sort = known.get(wire.get("class", ""), Class.PERMANENT)
        effects = {effect.value: effect for effect in Effect}
        wait = wire.get("retryAfterMs")
        return cls(
            sort,
            str(wire.get("message", "")),
            native_code=wire.get("nativeCode"),
            attribute=wire.get("attribute"),
            retry_after=wait / 1000 if isinstance(wait, (int, float)) else None,
            effect=effects.get(wire.get("effect", ""), Effect.MAYBE),
            existing=wire.get("existing"),
        )

    @classmethod
    def transient(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.TRANSIENT`."""
        return cls(Class.TRANSIENT, message, **more)

    @classmethod
    def throttled(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.THROTTLED`; ``retry_after`` in seconds."""
        return cls(Class.THROTTLED, message, **more)

    @classmethod
    def timeout(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.TIMEOUT`."""
        return cls(Class.TIMEOUT, message, **more)

    @classmethod
    def unknown(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.UNKNOWN`."""
        return cls(Class.UNKNOWN, message, **more)

    @classmethod
    def already_exists(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.ALREADY_EXISTS`; ``existing`` names the record where the target does."""
        return cls(Class.ALREADY_EXISTS, message, **more)

    @classmethod
    def not_found(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.NOT_FOUND`."""
        return cls(Class.NOT_FOUND, message, **more)

    @classmethod
    def conflict(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.CONFLICT`."""
        return cls(Class.CONFLICT, message, **more)

    @classmethod
    def stale_version(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.STALE_VERSION`."""
        return cls(Class.STALE_VERSION, message, **more)

    @classmethod
    def invalid(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.INVALID`; ``attribute`` names what was refused."""
        return cls(Class.INVALID, message, **more)

    @classmethod
    def auth(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.AUTH`."""
        return cls(Class.AUTH, message, **more)

    @classmethod
    def forbidden(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.FORBIDDEN`."""
        return cls(Class.FORBIDDEN, message, **more)

    @classmethod
    def config(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.CONFIG`."""
        return cls(Class.CONFIG, message, **more)

    @classmethod
    def unsupported(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.UNSUPPORTED`."""
        return cls(Class.UNSUPPORTED, message, **more)

    @classmethod
    def permanent(cls, message: str, **more: Any) -> ConnError:
        """Of class :attr:`Class.PERMANENT`."""
        return cls(Class.PERMANENT, message, **more)


class Cancelled(ConnError):
    """The gateway no longer waits for this call. Let it pass; nobody reads the answer."""

    def __init__(self) -> None:
        super().__init__(Class.TIMEOUT, "the gateway no longer waits for this call")
