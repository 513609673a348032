"""Rows, refs and checksums of the log's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from common.log import Entry
from common.log_file import SCHEMA, SELECT_ENTRIES, checksum, entry_of, link, signed, text_checksum, unsigned, which_files

REFS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.builds(
    Entry, st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1), TEXTS, TEXTS, TEXTS, TEXTS, REFS, TEXTS, st.booleans()
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


@given(ENTRIES)
def test_an_entry_goes_through_the_tables_unchanged(entry: Entry) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in SCHEMA:
            db.execute(statement)
        db.execute("INSERT INTO people VALUES (7, ?, '', '', 0, 0)", (entry.identity,))
        db.execute("INSERT INTO conversations VALUES (9, ?, NULL, NULL)", (entry.conv,))
        row = (entry.id, entry.time_ms, 9, 7, signed(entry.ref), entry.to, entry.sender, entry.text, entry.topic, 0, 0)
        db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        assert [entry_of(found) for found in db.execute(SELECT_ENTRIES)] == [entry]


@given(ENTRIES, ENTRIES, st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8]), CRCS, CRCS)
def test_every_field_counts_in_the_checksum(entry: Entry, other: Entry, field: int, text_crc: int, before: int) -> None:
    assume(entry[field] != other[field])
    changed = Entry._make(
        theirs if number == field else ours for number, (ours, theirs) in enumerate(zip(entry, other, strict=True))
    )
    assert link(LOG, changed, text_crc, before) != link(LOG, entry, text_crc, before)


@given(ENTRIES, CRCS, CRCS)
def test_the_chain_counts_in_the_checksum(entry: Entry, text_crc: int, before: int) -> None:
    usual = link(LOG, entry, text_crc, before)
    assert link(LOG, entry, text_crc ^ 1, before) != usual
    assert link(LOG, entry, text_crc, before ^ 1) != usual
    assert link(LOG[::-1], entry, text_crc, before) != usual
    assert 0 <= usual < 2**32


@given(ENTRIES, CRCS, CRCS)
def test_a_blanked_text_leaves_the_chain_whole(entry: Entry, text_crc: int, before: int) -> None:
    assert link(LOG, entry._replace(text=""), text_crc, before) == link(LOG, entry, text_crc, before)


def test_checksums_stay_the_same_from_version_to_version() -> None:
    entry = Entry(7, 1_767_225_600_000, "#dev", "#Dev", "ada", "g3k7", 2**63 + 5, "hello, wörld")
    assert text_checksum(entry.text) == 0xCCB737B8
    assert link(LOG, entry, 0xCCB737B8, 0) == 0x1EFA1617
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
