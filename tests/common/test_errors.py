"""Each code has its sentence, and each refusal tells at least that."""

from __future__ import annotations

import pytest

from common.errors import MEANINGS, Code, Refused


def test_every_code_has_a_meaning_in_the_order_of_the_codes() -> None:
    assert list(MEANINGS) == list(Code)


def test_sentences_are_told_apart() -> None:
    assert len({meaning.sentence for meaning in MEANINGS.values()}) == len(MEANINGS)


def test_what_closes_the_connection_cannot_be_tried_again_on_it() -> None:
    assert not [code for code, meaning in MEANINGS.items() if meaning.closes and meaning.passing]


@pytest.mark.parametrize("code", Code)
def test_a_refusal_tells_its_own_text_or_the_sentence(code: Code) -> None:
    assert Refused(code).text == str(Refused(code)) == MEANINGS[code].sentence
    assert Refused(code, "in this case").text == "in this case"
    assert Refused(code).closes == MEANINGS[code].closes
