"""Rows, refs and checksums of the log's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from common.log import RUN_MESSAGES, Run
from common.log_file import (
    SCHEMA,
    SELECT_RUNS,
    checksum,
    joined,
    link,
    run_of,
    signed,
    split,
    text_checksums,
    unsigned,
    which_files,
)
from common.messages import make_ref
from common.text import clean

REFS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CLEAN = st.lists(TEXTS.map(clean), min_size=1, max_size=5)
OF_ONE_INSTANCE = st.builds(make_ref, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 5))
RUNS = st.builds(
    Run, st.integers(1, 2**63 - 9), st.integers(0, 2**63 - 1), TEXTS, TEXTS, TEXTS, TEXTS, OF_ONE_INSTANCE, CLEAN, st.booleans()
)
CRCS = st.integers(0, 2**32 - 1)
LOG = "0123456789abcdef" * 2


@given(REFS)
@example(2**63 - 1)
@example(2**63)
@example(2**64 - 1)
def test_a_ref_fits_a_signed_column_and_comes_back(ref: int) -> None:
    assert -(2**63) <= signed(ref) < 2**63
    assert unsigned(signed(ref)) == ref


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 2))
def test_refs_of_one_instance_rise_as_stored(instance: int, counter: int) -> None:
    ref = instance << 32 | counter
    assert signed(ref) < signed(ref + 1)


@given(RUNS)
def test_a_run_goes_through_the_tables_unchanged(run: Run) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in SCHEMA:
            db.execute(statement)
        db.execute("INSERT INTO people VALUES (7, ?, '', '', 0, 0)", (run.identity,))
        db.execute("INSERT INTO conversations VALUES (9, ?, NULL, NULL)", (run.conv,))
        about = (run.last, len(run.texts), run.time_ms, 9, 7, signed(run.ref), run.to, run.sender)
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*about, joined(run.texts), run.topic, b"", 0))
        assert [run_of(found) for found in db.execute(SELECT_RUNS)] == [run]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=RUN_MESSAGES))
@example(["\x1e"])
@example(["", "\x1e"])
@example(["", ""])
def test_texts_come_back_or_are_refused(texts: list[str]) -> None:
    try:
        together = joined(texts)
    except ValueError:
        assert len(texts) > 1
        assert any(clean(text) != text for text in texts), "no text that was cleaned is refused"
    else:
        assert split(together, len(texts)) == texts


@given(RUNS, RUNS, st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8]), CRCS, CRCS)
def test_every_field_counts_in_the_checksum(run: Run, other: Run, field: int, text_crc: int, before: int) -> None:
    assume(run[field] != other[field])
    changed = Run._make(theirs if number == field else ours for number, (ours, theirs) in enumerate(zip(run, other, strict=True)))
    text_crcs = text_crc.to_bytes(4)
    assert link(LOG, changed, text_crcs, before) != link(LOG, run, text_crcs, before)


@given(RUNS, CRCS, CRCS)
def test_the_chain_counts_in_the_checksum(run: Run, text_crc: int, before: int) -> None:
    text_crcs = text_crc.to_bytes(4)
    usual = link(LOG, run, text_crcs, before)
    assert link(LOG, run, (text_crc ^ 1).to_bytes(4), before) != usual
    assert link(LOG, run, text_crcs, before ^ 1) != usual
    assert link(LOG[::-1], run, text_crcs, before) != usual
    assert 0 <= usual < 2**32


@given(RUNS, CRCS)
def test_a_blanked_text_leaves_the_chain_whole(run: Run, before: int) -> None:
    text_crcs = text_checksums(run.texts)
    blanked = run._replace(texts=["", *run.texts[1:]])
    assert link(LOG, blanked, text_crcs, before) == link(LOG, run, text_crcs, before)
    assert text_checksums(blanked.texts)[4:] == text_crcs[4:]


def test_checksums_stay_the_same_from_version_to_version() -> None:
    run = Run(7, 1_767_225_600_000, "#dev", "#Dev", "ada", "g3k7", 2**63 + 5, ["hello, wörld", "again"])
    assert text_checksums(run.texts).hex() == "b837b7ccfc5ba193"
    assert link(LOG, run, text_checksums(run.texts), 0) == 0x895B3D23
    assert checksum("g3k7", "ada", "ada", None) == 0x88648511


def test_where_one_value_ends_and_the_next_begins_counts() -> None:
    assert len({checksum("ab", "c"), checksum("a", "bc"), checksum("abc", ""), checksum("abc"), checksum(b"abc")}) == 5


def test_other_files_of_the_same_names_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    names = ["chat.db", "chat.db-wal", "chat.db-shm"]
    for name in names:
        (tmp_path / name).touch()
    before = which_files(path)
    assert which_files(path) == before
    (tmp_path / "other").touch()
    (tmp_path / "other").rename(tmp_path / "chat.db-wal")
    assert [one == other for one, other in zip(which_files(path), before, strict=True)] == [True, False, True]
    (tmp_path / "chat.db-shm").unlink()
    with pytest.raises(FileNotFoundError):
        which_files(path)
