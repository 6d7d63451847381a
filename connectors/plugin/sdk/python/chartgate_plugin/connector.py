"""The class that a plugin fills in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .errors import ConnError
from .host import Ctx, Host
from .outcomes import BatchOp, Created, Effective, Health, Page, SyncEvent, TicketState, Updated
from .records import AccountState, Change, Entitlement, Record
from .schema import KindSchema, TargetSchema
from .settings import ConfigIssue
from .values import Attrs, Value


@dataclass
class NoSettings:
    """A plugin without settings."""


class Connector:
    """A target, through its protocol.

    Every write may be run twice. No call retries a write, sleeps, or keeps state that a restart would lose. Calls come from
    several threads at a time. Raise :class:`ConnError` by its class; any other exception is told as ``Unknown``, and the gateway
    then takes it that the change may have happened.

    What a subclass does not override is not announced: a plugin without :meth:`list_page` cannot list.
    """

    #: Its name, for logs.
    NAME: ClassVar[str] = "plugin"
    #: Its version, for logs.
    VERSION: ClassVar[str] = "0"
    #: The dataclass of its settings.
    SETTINGS: ClassVar[type] = NoSettings
    #: Its kinds by name. Calls are held against them before they reach the methods below: an unknown kind or a capability that
    #: is not declared is ``Unsupported``, a value that does not fit is ``Invalid`` by name.
    KINDS: ClassVar[Mapping[str, KindSchema]] = {}
    #: Whether writes mind :attr:`Ctx.dry_run`. Where they do not, a dry run is ``Unsupported`` before it reaches them.
    DRY_RUN: ClassVar[bool] = False
    #: Calls at a time; more wait.
    CONCURRENCY: ClassVar[int] = 32

    def __init__(self, settings: Any, host: Host) -> None:
        """Opens it. Connect when you are called, not here: a target that is down must not hold up the start.

        :raises ConnError: ``Config``, with the JSON pointer of the setting as ``attribute``.
        """
        self.settings = settings
        self.host = host

    @classmethod
    def check_config(cls, settings: Any) -> list[ConfigIssue]:
        """What is wrong with settings that fit their types, as far as can be told without a network."""
        return []

    def close(self) -> None:
        """The process is about to end."""

    def check(self, cx: Ctx) -> Health:
        """Asks whether the target is there and lets us in. Cheap; changes nothing. A wrong secret is ``Auth``."""
        raise NotImplementedError

    def schema(self, cx: Ctx) -> TargetSchema:
        """What the target consists of; by default :attr:`KINDS`."""
        return TargetSchema(self.KINDS)

    def get(self, cx: Ctx, kind: str, id: str) -> Record | None:
        """Reads one record by id, inactive ones too; ``None`` where there is none."""
        raise NotImplementedError

    def find(self, cx: Ctx, kind: str, key: dict[str, Value]) -> list[Record]:
        """Reads all records with this natural key, inactive ones too: else a leaver's account would be made a second time."""
        raise NotImplementedError

    def create(
        self, cx: Ctx, kind: str, attrs: Attrs, state: AccountState, entitlements: Sequence[Entitlement]
    ) -> Created:
        """Makes a record. A taken natural key is ``AlreadyExists``; an enabled account is enabled last."""
        raise ConnError.unsupported("this plugin cannot create")

    def update(self, cx: Ctx, kind: str, id: str, change: Change) -> Updated:
        """Changes a record: all of ``change``. What is so already is success; a part that failed is listed in ``failed``."""
        raise ConnError.unsupported("this plugin cannot update")

    def delete(self, cx: Ctx, kind: str, id: str) -> None:
        """Removes a record. Deleting a missing record succeeds."""
        raise ConnError.unsupported("this plugin cannot delete")

    def list_page(self, cx: Ctx, kind: str, cursor: str | None, size: int) -> Page:
        """The page at ``cursor``, of at most ``size`` records. Facet ``list``."""
        raise ConnError.unsupported("this plugin cannot list")

    def latest(self, cx: Ctx, kind: str) -> str:
        """The newest point of the target's history. Facet ``sync``, with :meth:`changes`."""
        raise ConnError.unsupported("this plugin tells no changes")

    def changes(self, cx: Ctx, kind: str, token: str) -> tuple[Sequence[SyncEvent], str]:
        """What happened since ``token``, and the next token. An expired token gives ``[Resync()]``."""
        raise ConnError.unsupported("this plugin tells no changes")

    def apply(self, cx: Ctx, ops: Sequence[BatchOp]) -> Sequence[Created | Updated | ConnError]:
        """Several operations in one call: one answer for each, in the same order. Facet ``batch``."""
        raise ConnError.unsupported("this plugin has no batches")

    def set_password(self, cx: Ctx, kind: str, id: str, password: str) -> None:
        """Sets the account's password. Never keep it. Facet ``passwords``."""
        raise ConnError.unsupported("this plugin sets no passwords")

    def discover(self, cx: Ctx) -> dict[str, list[str]]:
        """Suggestions by setting, best first. Facet ``discover``."""
        raise ConnError.unsupported("this plugin suggests nothing")

    def effective(self, cx: Ctx, kind: str, id: str) -> Effective:
        """Whether a login would be let in, and which sessions are open. Facet ``effect``, with :meth:`revoke_sessions`."""
        raise ConnError.unsupported("this plugin cannot tell")

    def revoke_sessions(self, cx: Ctx, kind: str, id: str) -> None:
        """Ends the account's open sessions. None open is success."""
        raise ConnError.unsupported("this plugin ends no sessions")

    def ticket(self, cx: Ctx, kind: str, ticket: str) -> TicketState:
        """What became of work that was answered with ``pending``; ``NotFound`` where nobody knows of it. Facet ``tickets``."""
        raise ConnError.unsupported("this plugin knows no tickets")


#: Facets in the order of the protocol, each with the methods that make it.
FACETS: dict[str, tuple[str, ...]] = {
    "list": ("list_page",),
    "sync": ("latest", "changes"),
    "batch": ("apply",),
    "passwords": ("set_password",),
    "discover": ("discover",),
    "effect": ("effective", "revoke_sessions"),
    "tickets": ("ticket",),
}


def features(connector: type[Connector]) -> list[str]:
    """The facets that a class has: those of which it overrides a method."""

    def own(method: str) -> bool:
        return getattr(connector, method) is not getattr(Connector, method)

    return [facet for facet, methods in FACETS.items() if any(own(method) for method in methods)]
