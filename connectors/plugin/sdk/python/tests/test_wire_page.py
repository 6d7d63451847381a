"""The transcripts of the protocol page, played to the sample plugin: every line of the plugin must be the one that stands there."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "examples"))

from chartgate_plugin.session import Session
from pager import Pager

PAGE = (ROOT.parent.parent / "PROTOCOL.md").read_text("utf-8")


class Transcripts(unittest.TestCase):
    def test_the_page_is_short_enough_to_be_read(self) -> None:
        self.assertLessEqual(len(PAGE.splitlines()), 200)

    def test_every_line_of_the_plugin_is_the_one_that_stands_on_the_page(self) -> None:
        blocks = re.findall(r"^```transcript \w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        self.assertGreater(len(lines), 30)
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        reader = ours.makefile("rb")
        session = Session(Pager, theirs.makefile("rb"), theirs.sendall)
        thread = threading.Thread(target=session.run)
        thread.start()
        for line in lines:
            message = json.loads(line[2:])
            if line.startswith("→ "):
                ours.sendall(json.dumps(message).encode() + b"\n")
            else:
                self.assertEqual(json.loads(reader.readline()), message, line)
        thread.join(5)
        self.assertFalse(thread.is_alive(), "after shutdown the conversation is over")


if __name__ == "__main__":
    unittest.main()
