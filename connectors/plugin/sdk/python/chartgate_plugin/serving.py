"""Serves a connector over standard input and output, or over a Unix socket."""

from __future__ import annotations

import argparse
import os
import socket
import stat
import sys
import threading
from typing import NoReturn

from .connector import Connector
from .session import Session

#: Stack of each thread in octets. The usual eight mebibytes would count against the memory that the gateway allows.
STACK = 2 << 20
#: Conversations at a time over a socket.
MOST_HOSTS = 16


def serve(connector: type[Connector], arguments: list[str] | None = None) -> NoReturn:
    """Serves until the host is gone; never returns.

    Without arguments the host is at standard input and output. ``--socket PATH`` listens on a Unix socket instead, with the
    access rights that ``--mode`` gives it (in octal, 660 unless said otherwise): whoever may connect may use the plugin.
    """
    parser = argparse.ArgumentParser(description=f"{connector.NAME}: a plugin of Chartgate")
    parser.add_argument("--socket", metavar="PATH", help="listen on a Unix socket instead of standard input")
    parser.add_argument("--mode", type=lambda text: int(text, 8), default=0o660, help="access rights of the socket")
    asked = parser.parse_args(arguments)
    threading.stack_size(STACK)
    if asked.socket is None:
        _stdio(connector)
    else:
        _listen(connector, asked.socket, asked.mode)
    sys.stderr.flush()
    # Threads that are still in a call are not waited for: the host is gone.
    os._exit(0)


def _stdio(connector: type[Connector]) -> None:
    # The protocol gets copies of its own. What the connector or a library of it prints goes to the log and never between two
    # messages, and nothing it starts can read the host's words.
    reader, writer = os.fdopen(os.dup(0), "rb", buffering=1 << 16), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def write(line: bytes) -> None:
        sent = os.write(writer, line)
        while sent < len(line):
            line = line[sent:]
            sent = os.write(writer, line)

    Session(connector, reader, write).run()


def _listen(connector: type[Connector], path: str, mode: int) -> None:
    sys.stdout = sys.stderr
    try:
        # What a process that was killed left behind.
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Nobody can connect between the making of the socket and the change of its rights.
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    os.chmod(path, mode)
    listener.listen(MOST_HOSTS)
    places = threading.BoundedSemaphore(MOST_HOSTS)

    def converse(host: socket.socket) -> None:
        try:
            with host, host.makefile("rb") as reader:
                Session(connector, reader, host.sendall).run()
                try:
                    host.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # It went first.
        finally:
            places.release()

    while True:
        places.acquire()
        host, _ = listener.accept()
        threading.Thread(target=converse, args=(host,), daemon=True).start()
