from __future__ import annotations

import pytest

from common.addresses import join, split


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("host", ("host", 65432)),
        (" host:7 ", ("host", 7)),
        ("127.0.0.1:7", ("127.0.0.1", 7)),
        ("::1", ("::1", 65432)),
        ("[::1]:7", ("::1", 7)),
        ("[::1]", ("::1", 65432)),
    ],
)
def test_what_people_write(text: str, place: tuple[str, int]) -> None:
    assert split(text) == place
    assert split(join(*place)) == place


@pytest.mark.parametrize("text", ["", ":7", "host:", "host:0", "host:65536", "host:x", "two words", "host:٣", "a\x1bb"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        split(text)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert (join("host", 7), join("::1", 7)) == ("host:7", "[::1]:7")
