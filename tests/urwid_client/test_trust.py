from __future__ import annotations

import pytest

from urwid_client.trust import (
    AUTHORITY,
    UnknownKey,
    Unsafe,
    Wishes,
    check_key,
    check_newcomer,
    check_refusal,
    encrypts,
    expected_key,
    explained,
)

ONE, OTHER = "SHA256:" + "A" * 43, "SHA256:" + "E" * 43


@pytest.mark.parametrize(
    ("host", "wishes", "known_by", "tls"),
    [
        ("localhost", Wishes(), None, False),
        ("example.org", Wishes(), None, True),
        ("localhost", Wishes(tls=True), None, True),
        ("example.org", Wishes(tls=False), None, False),
        ("localhost", Wishes(), ONE, True),  # it spoke TLS once
        ("localhost", Wishes(), AUTHORITY, True),
        ("localhost", Wishes(tls=False), ONE, False),  # the user's word
        ("localhost", Wishes(fingerprint=ONE), None, True),
        ("localhost", Wishes(accept_new=True), None, False),
    ],
)
def test_whether_to_encrypt(host: str, wishes: Wishes, known_by: str | None, tls: bool) -> None:
    assert encrypts(host, wishes, known_by) == tls


@pytest.mark.parametrize(
    ("wishes", "known_by", "expected"),
    [
        (Wishes(), None, None),
        (Wishes(), AUTHORITY, None),
        (Wishes(), ONE, ONE),
        (Wishes(fingerprint=OTHER), ONE, OTHER),
        (Wishes(fingerprint=OTHER), AUTHORITY, OTHER),
        (Wishes(accept_new=True), ONE, ONE),
    ],
)
def test_which_key_is_expected(wishes: Wishes, known_by: str | None, expected: str | None) -> None:
    assert expected_key(wishes, known_by) == expected
    if expected is not None:
        check_key("host:1", wishes, known_by, expected)


def line(unsafe: pytest.ExceptionInfo[Unsafe]) -> str:
    text = str(unsafe.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(accept_new=True), Wishes(tls=True)])
def test_a_key_that_has_changed_is_never_believed_by_itself(wishes: Wishes) -> None:
    with pytest.raises(Unsafe) as refused:
        check_key("host:1", wishes, ONE, OTHER)
    assert line(refused).startswith(
        f"the key of host:1 has changed: it was {ONE}, and is {OTHER}; somebody may be in the middle: "
    )
    assert line(refused).endswith(f"start once with --fingerprint {OTHER}")


def test_another_key_than_the_one_that_was_named() -> None:
    with pytest.raises(Unsafe) as refused:
        check_key("host:1", Wishes(fingerprint=ONE), OTHER, OTHER)
    assert f"its key is {OTHER}, and was to be {ONE}" in line(refused)


def test_a_newcomer_is_believed_only_when_the_user_says_so() -> None:
    check_newcomer("host:1", Wishes(accept_new=True), None, ONE)
    with pytest.raises(UnknownKey) as unknown:
        check_newcomer("host:1", Wishes(), None, ONE)
    assert line(unknown).count(ONE) == 2
    assert unknown.value.fingerprint == ONE


def test_one_that_an_authority_vouched_for_is_no_newcomer() -> None:
    with pytest.raises(Unsafe, match="vouched for host:1 before") as refused:
        check_newcomer("host:1", Wishes(accept_new=True), AUTHORITY, ONE)
    assert ONE in line(refused)


def test_only_that_nobody_vouches_for_a_certificate_is_forgiven() -> None:
    for code in (18, 19, 20, 21):
        check_refusal("host:1", code, "self-signed certificate")
    for code, words in (
        (9, "not valid yet"),
        (10, "expired"),
        (62, "another host name"),
        (64, "another address"),
        (23, "revoked"),
    ):
        with pytest.raises(Unsafe, match=words) as refused:
            check_refusal("host:1", code, "certificate revoked")
        assert line(refused).startswith("the certificate of host:1 is refused: ")


@pytest.mark.parametrize(
    ("reason", "only_wished", "known", "words"),
    [
        ("WRONG_VERSION_NUMBER", False, False, "does not speak TLS; --insecure"),
        ("WRONG_VERSION_NUMBER", True, False, "leave --tls away"),
        ("WRONG_VERSION_NUMBER", False, True, "somebody may be in the middle: ask its operator, and only"),
        ("WRONG_VERSION_NUMBER", True, True, "somebody may be in the middle: ask its operator, and only"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", True, True, "update"),
        ("OTHER", False, False, None),
        (None, True, True, None),
    ],
)
def test_handshakes_that_cannot_succeed(reason: str | None, only_wished: bool, known: bool, words: str | None) -> None:
    unsafe = explained("host:1", reason, only_wished, known)
    assert (unsafe is None) == (words is None)
    assert unsafe is None or (words or "") in str(unsafe)
