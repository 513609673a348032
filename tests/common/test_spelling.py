from __future__ import annotations

import pytest

from common.spelling import meant

COMMANDS = ["msg", "query", "join", "nick", "open", "help", "quit", "list", "back"]
OPTIONS = ["--host", "--port", "--name", "--room", "--tls", "--insecure", "--fingerprint", "--mouse"]
VARIABLES = ["CHAT_BROKER_LIMITS_TEXT_BYTES", "CHAT_BROKER_LIMITS_CONNECTIONS"]


@pytest.mark.parametrize(
    ("word", "known", "which"),
    [
        ("jion", COMMANDS, "join"),
        ("hlep", COMMANDS, "help"),
        ("topic", COMMANDS, None),
        ("ban", COMMANDS, None),
        ("--prot", OPTIONS, "--port"),
        ("--finger-print", OPTIONS, "--fingerprint"),
        ("--user", OPTIONS, None),
        ("--foo", OPTIONS, None),
        ("-x", OPTIONS, None),
        ("CHAT_BROKER_LIMITS_TEXT_BYTE", VARIABLES, "CHAT_BROKER_LIMITS_TEXT_BYTES"),
        ("CHAT_BROKER_LIMITS_FOO", VARIABLES, None),
        ("", OPTIONS, None),
        ("--hos", ["--host"], "--host"),
        ("anything", [], None),
    ],
)
def test_what_was_meant(word: str, known: list[str], which: str | None) -> None:
    assert meant(word, known) == which
