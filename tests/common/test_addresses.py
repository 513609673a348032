from __future__ import annotations

import pytest

from common import addresses
from common.addresses import is_address, is_same, join, split


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("host", ("host", 65432)),
        (" host:7 ", ("host", 7)),
        ("127.0.0.1:7", ("127.0.0.1", 7)),
        ("::1", ("::1", 65432)),
        ("[::1]:7", ("::1", 7)),
        ("[::1]", ("::1", 65432)),
        ("fe80::1%eth0", ("fe80::1%eth0", 65432)),
    ],
)
def test_what_people_write(text: str, place: tuple[str, int]) -> None:
    assert is_address(text)
    assert split(text) == place
    assert split(join(*place)) == place


@pytest.mark.parametrize(
    "text", ["", ":7", "host:", "host:0", "host:65536", "host:x", "two words", "host:٣", "a\x1bb", "65432", "a:1b:2", "[a:1]:2"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        split(text)
    assert not is_address(text)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert (join("host", 7), join("::1", 7)) == ("host:7", "[::1]:7")


def test_a_server_has_one_address_however_its_host_is_spelled() -> None:
    assert join("LocalHost", 7) == join("localhost", 7) == "localhost:7"
    assert join("FE80::1%Eth0", 7) == "[fe80::1%Eth0]:7"


def test_localhost_is_another_name_of_an_address() -> None:
    assert is_same("LocalHost:7", "127.0.0.1:7")
    assert is_same("Host:7", "host:7")
    assert not is_same("localhost:7", "127.0.0.1:8")
    assert not is_same("localhost:7", "[::1]:7"), "that is another address"
    assert not is_same("localhost.example.org:7", "127.0.0.1:7")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.org", False),
        ("example.org", False),
        ("192.168.1.2", False),
        ("0.0.0.0", False),
        ("127.example.org", False),
        ("127.0.0.1.example.org", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_what_is_this_machine_for_certain(host: str, loopback: bool) -> None:
    assert addresses.is_loopback(host) == loopback
