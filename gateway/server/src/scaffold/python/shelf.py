"""The stand-in for a target: accounts in a file. Throw it away when your own target is in its place."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from typing import Any


class Refused(Exception):
    """The stand-in says no."""

    def __init__(self, code: str, id: str | None = None) -> None:
        super().__init__(code)
        self.code, self.id = code, id


class Shelf:
    """Accounts by id. Several threads and processes may use one file."""

    ROLES = ("nurse", "physician", "registrar")
    TOKEN = "test-only-token"

    def __init__(self, path: str) -> None:
        self.path = path

    def lets_in(self, token: str) -> bool:
        return token == self.TOKEN

    def rows(self) -> dict[str, Any]:
        with self._open() as (rows, _):
            return rows

    def add(self, row: dict[str, Any]) -> str:
        with self._open() as (rows, write):
            for id, other in rows.items():
                if other["login"].lower() == row["login"].lower():
                    raise Refused("taken", id)
            id = f"A{1 + max((int(id[1:]) for id in rows), default=0):08}"
            rows[id] = {"roles": [], **row, "version": 1}
            write(rows)
            return id

    def edit(self, id: str, change: Callable[[dict[str, Any]], Any]) -> None:
        with self._open() as (rows, write):
            if id not in rows:
                raise Refused("missing")
            before = json.dumps(rows[id])
            change(rows[id])
            taken = [other for other, row in rows.items() if row["login"].lower() == rows[id]["login"].lower() and other != id]
            if taken:
                raise Refused("taken", taken[0])
            if json.dumps(rows[id]) != before:
                rows[id]["version"] += 1
                write(rows)

    def remove(self, id: str) -> None:
        with self._open() as (rows, write):
            if rows.pop(id, None) is not None:
                write(rows)

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[dict[str, Any], Callable[[dict[str, Any]], None]]]:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with open(file, "r+", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            text = held.read()

            def write(rows: dict[str, Any]) -> None:
                held.seek(0)
                held.truncate()
                json.dump(rows, held)
                held.flush()

            yield (json.loads(text) if text else {}), write
