from __future__ import annotations

import base64
import contextlib
import shlex
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.addresses import is_address
from common.errors import Refused
from common.invitations import Invitation, NoInvitation, is_invitation, parse, understand
from common.names import check_room

FINGERPRINT = "SHA256:" + base64.b64encode(b"\xfb\xef\xff" * 10 + b"\xfb\xef").decode().rstrip("=")
"""With each of the signs that URLs and forms have their own meaning for."""


@pytest.mark.parametrize(
    ("text", "invitation"),
    [
        ("chat://host", Invitation("host")),
        ("CHAT://Host/", Invitation("host")),
        ("chat://host:1/", Invitation("host", 1)),
        ("chat://192.0.2.1:7/dev", Invitation("192.0.2.1", 7, "#dev")),
        ("chat://[2001:db8::1]:7/dev", Invitation("2001:db8::1", 7, "#dev")),
        ("chat://host/%23dev", Invitation("host", room="#dev")),
        ("chat://host/#dev", Invitation("host", room="#dev")),
        ("chat://host#dev", Invitation("host", room="#dev")),
        ("chat://host/caf%C3%A9", Invitation("host", room="#café")),
        (f"chat://host/dev?fp={FINGERPRINT}", Invitation("host", room="#dev", fingerprint=FINGERPRINT)),
        (f"chat://host/%23dev?fp={FINGERPRINT}", Invitation("host", room="#dev", fingerprint=FINGERPRINT)),
        (f"chat://host/#dev?fp={FINGERPRINT}", Invitation("host", room="#dev", fingerprint=FINGERPRINT)),
        (f"chat://host/?fp={FINGERPRINT}#dev", Invitation("host", room="#dev", fingerprint=FINGERPRINT)),
        (f"chat://host/#?fp={FINGERPRINT}", Invitation("host", fingerprint=FINGERPRINT)),
        (f"chat://host?fp={FINGERPRINT.replace('+', '%2B').replace('/', '%2F')}", Invitation("host", fingerprint=FINGERPRINT)),
        (f"chat://host/?new=1&fp={FINGERPRINT}&fp={FINGERPRINT}", Invitation("host", fingerprint=FINGERPRINT)),
    ],
)
def test_what_it_says(text: str, invitation: Invitation) -> None:
    assert is_invitation(text)
    assert parse(text) == invitation
    assert parse(str(invitation)) == invitation


@pytest.mark.parametrize(
    "text",
    [
        "chat://",
        "chat:///dev",
        "http://host/dev",
        "host:1",
        "chat://host:0/",
        "chat://host:65536/",
        "chat://host:x/",
        "chat://[host/",
        "chat://ada@host/",
        "chat://ada:secret@host/",
        "chat://host/dev/ops",
        "chat://two words/dev",
        "chat://host/dev#ops",
        "chat://host/a b",
        "chat://host/%0A",
        "chat://host/?fp=",
        "chat://host/?fp=SHA256:short",
        f"chat://host/?fp={FINGERPRINT[:-1]}",
        f"chat://host/?fp={FINGERPRINT}&fp=SHA256:{'A' * 43}",
        "chat://host/\x1b[2J",
        "chat://host/" + "x" * 3000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(NoInvitation) as problem:
        parse(text)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "text", ["chat://host/dev", "'chat://host/dev'", "chat-client 'chat://host/dev'", "chat-client chat://host/dev "]
)
def test_what_a_server_prints_may_be_pasted_whole(text: str) -> None:
    assert understand(text) == Invitation("host", room="#dev")


def is_room(text: str) -> bool:
    try:
        return check_room("#" + text) == "#" + text
    except Refused:
        return False


@given(
    st.sampled_from(["host", "192.0.2.1", "::1", "chat.example.org"]),
    st.integers(1, 65535),
    st.none() | st.text("abcäß名[]{}^|`.-_09", max_size=20).filter(is_room).map("#{}".format),
    st.none() | st.binary(min_size=32, max_size=32).map(lambda digest: "SHA256:" + base64.b64encode(digest).decode()[:-1]),
)
def test_written_out_it_survives_a_shell_and_other_programs(
    host: str, port: int, room: str | None, fingerprint: str | None
) -> None:
    invitation = Invitation(host, port, room, fingerprint)
    text = str(invitation)
    assert parse(text) == invitation
    assert urlsplit(text).fragment == ""
    assert text.isascii()
    assert shlex.split(f"chat-client '{text}'") == ["chat-client", text]
    assert not set(text) & set(" \t'\"\\<>`{}|^#")


@given(st.text(max_size=40).map("chat://host/{}".format) | st.text(max_size=40).map("chat://{}".format))
def test_whatever_it_is_it_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(NoInvitation):
        assert is_address(parse(text).server)


def test_what_somebody_writes_who_wants_to_go_somewhere() -> None:
    assert understand(" chat.example.org ") == Invitation("chat.example.org")
    assert understand("[::1]:7") == Invitation("::1", 7)
    assert understand(" CHAT://host:7/dev") == Invitation("host", 7, "#dev")
    with pytest.raises(NoInvitation, match="a server is a host name"):
        understand("host:port")
    with pytest.raises(NoInvitation, match="is written chat://"):
        understand("chat://")
