"""What is asked before one is in the chat: a name, and at the first start the server; and whether an answer will do."""

from __future__ import annotations

import enum

from common.errors import Refused
from common.names import check_name
from urwid_client.editing import Draft, Editor

LEAVING = ("/quit", "/exit")
"""Answers that leave instead."""


class Question(enum.Enum):
    """What is asked, as it stands before the answer."""

    NAME = "Your name: "
    SERVER = "Server: "


class Welcome:
    """The questions, one after the other, and the line that the answer is written in."""

    def __init__(self, name: str = "", server: str = "", ask_server: bool = False, problem: str = "") -> None:
        """`name` and `server` are proposed; `problem` says why an answer that was given would not do."""
        self.name = name
        self.server = server
        self.problem = problem
        self.editor = Editor()
        self._left = [Question.NAME, *([Question.SERVER] if ask_server else [])]
        self._propose()

    @property
    def question(self) -> Question:
        return self._left[0]

    @property
    def asks_server(self) -> bool:
        """Whether the server is asked for, now or afterwards."""
        return Question.SERVER in self._left

    def answer(self) -> bool:
        """Takes what was written for the answer; True if it was the last one."""
        text = self.editor.text.strip()
        try:
            if self.question is Question.NAME:
                self.name = check_name(text)
            else:
                host, port = parse_server(text)
                self.server = f"{host}:{port}"
        except Refused as refused:
            self.problem = refused.text
        except ValueError:
            self.problem = "a server is a host name or an address, with a port if it is not the usual one: chat.example.org:65432"
        else:
            self.problem = ""
            if len(self._left) == 1:
                return True
            del self._left[0]
            self._propose()
        return False

    def _propose(self) -> None:
        text = self.name if self.question is Question.NAME else self.server
        self.editor.load(Draft(text, len(text)))


def parse_server(text: str, usual_port: int = 65432) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[address]:port`. Raises `ValueError`."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):  # an address of IPv6 by itself
        host, port = text, str(usual_port)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not host.isprintable() or " " in host or not port.isascii() or not port.isdecimal():
        raise ValueError(text)
    if not 1 <= int(port) <= 65535:
        raise ValueError(text)
    return host, int(port)
