"""Write a connector for Chartgate in Python.

A plugin is a process that speaks the gateway's protocol over standard input and output or a Unix socket. Fill in
:class:`Connector` and hand it to :func:`serve`::

    class Pager(Connector):
        NAME = "pager"
        SETTINGS = Settings            # a dataclass: see chartgate_plugin.settings
        KINDS = {"subscriber": ...}    # what there is, and what can be done with it

        def check(self, cx): ...
        def get(self, cx, kind, id): ...
        def find(self, cx, kind, key): ...
        def create(self, cx, kind, attrs, state, entitlements): ...
        def update(self, cx, kind, id, change): ...

    if __name__ == "__main__":
        serve(Pager)

Needs Python 3.11 and nothing else.
"""

__version__ = "0.1.0"

from .connector import Connector, NoSettings
from .errors import Cancelled, Class, ConnError, Effect
from .host import Ctx, Host, HttpResponse, Level, http_error
from .outcomes import (
    BatchCreate,
    BatchOp,
    BatchUpdate,
    Created,
    Effective,
    Gone,
    Health,
    Page,
    PartFailure,
    Pending,
    Resync,
    SyncEvent,
    TicketState,
    Updated,
    Upsert,
)
from .records import AccountState, Change, Delta, Entitlement, EntitlementChange, Record
from .schema import AttrSchema, KindCaps, KindRole, KindSchema, TargetSchema, ValueType
from .serving import serve
from .settings import ConfigIssue, Limits, SecretRef
from .values import Attrs, Value

__all__ = [
    "AccountState",
    "AttrSchema",
    "Attrs",
    "BatchCreate",
    "BatchOp",
    "BatchUpdate",
    "Cancelled",
    "Change",
    "Class",
    "ConfigIssue",
    "ConnError",
    "Connector",
    "Created",
    "Ctx",
    "Delta",
    "Effect",
    "Effective",
    "Entitlement",
    "EntitlementChange",
    "Gone",
    "Health",
    "Host",
    "HttpResponse",
    "KindCaps",
    "KindRole",
    "KindSchema",
    "Level",
    "Limits",
    "NoSettings",
    "Page",
    "PartFailure",
    "Pending",
    "Record",
    "Resync",
    "SecretRef",
    "SyncEvent",
    "TargetSchema",
    "TicketState",
    "Updated",
    "Upsert",
    "Value",
    "ValueType",
    "http_error",
    "serve",
]
