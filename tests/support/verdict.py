"""What must hold of every client and the log, whatever happened: used by the simulation and by experiments with real processes.

A `Witness` notes what one client sent, and what it was told and shown. `verify` judges all of them at the end, by the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from common import client_events as ce
from common import messages as m
from common.client_protocol import ClientProtocol
from common.log import Entry, is_direct, parties
from common.log_file import FILE_NAME, SELECT_RUNS, run_of
from common.names import fold


class StrictProtocol(ClientProtocol):
    """The client's protocol, which drops what it holds already; here it notes that this was sent to it twice."""

    doubled: tuple[m.Msg, ...] = ()

    def _on_msg(self, msg: m.Msg) -> list[ce.Event]:
        if not msg.options.get("again") and msg.id <= (self.cursor or 0):
            self.doubled += (msg,)
        return super()._on_msg(msg)


class Witness:
    """One client, over all its connections."""

    def __init__(self, name: str, instance: int) -> None:
        self.protocol = StrictProtocol(name, instance=instance)
        self.sent: dict[int, tuple[str, str, bool]] = {}
        """To whom, the text, and whether it sets a topic."""
        self.acknowledged: dict[int, m.Msg] = {}
        self.failed: set[int] = set()
        self.delivered: list[m.Msg] = []
        self.began_at: int | None = None
        """The id behind which everything is its business; None before the first welcome."""
        self._intervals: list[tuple[str, int, int | None]] = []
        """Where it has been: the conversation, the position when it came, and the last id before it left."""
        self._replayed: list[tuple[str, int]] = []
        """Rooms that were asked for together with a cursor, which may be older than the joining of the room."""
        self._resumes_at = 0
        self._resumed_rooms: set[str] = set()
        """The rooms of the last hello: what was missed in them is replayed, from `_resumes_at` on."""

    def connected(self) -> None:
        """A new connection is open."""
        self._resumed_rooms = {m.LOBBY, *map(fold, self.protocol.rooms)}
        self.protocol.connected()

    def send(self, to: str, text: str, topic: bool = False) -> int:
        ref = self.protocol.send(to, text, topic=topic)
        self.sent[ref] = (to, text, topic)
        return ref

    def part(self, room: str) -> None:
        """From now on it may or may not see what is said there, also where it was asked for and not joined yet."""
        self._replayed.append((fold(room), self.protocol.cursor or 0))
        self._resumed_rooms.discard(fold(room))
        self.protocol.part(room)
        self._no_longer_in(room)

    def handle(self, event: ce.Event) -> None:
        match event:
            case ce.Welcomed():
                if event.afresh:
                    assert self.began_at is None, "a client that was here before had to start afresh"
                    self.began_at = event.cursor
                self._resumes_at = event.cursor
                self.protocol.token_kept()
            case ce.RoomJoined():
                self._now_in(event)
            case ce.RoomParted():
                self._no_longer_in(event.room)
            case ce.Delivered():
                self.delivered.append(event.message)
            case ce.Acknowledged():
                assert event.ref not in self.acknowledged, "acknowledged twice"
                self.acknowledged[event.ref] = event.message
            case ce.SendFailed():
                self.failed.add(event.ref)
            case ce.Broken():
                raise AssertionError(f"the client could not understand the server: {event.text}")

    def _now_in(self, joined: ce.RoomJoined) -> None:
        conv = joined.conv
        if conv in self._resumed_rooms:
            self._replayed.append((conv, self._resumes_at))
        if not any(known == conv and until is None for known, _, until in self._intervals):
            since = self._resumes_at if conv in self._resumed_rooms else joined.position
            self._intervals.append((conv, since, None))
        self._resumed_rooms.discard(conv)

    def _no_longer_in(self, room: str) -> None:
        self._intervals = [
            (conv, since, self._last_seen(conv) if conv == fold(room) and until is None else until)
            for conv, since, until in self._intervals
        ]

    def _last_seen(self, conv: str) -> int:
        return max((msg.id for msg in self.delivered if msg.options["conv"] == conv), default=0)

    # --- the judgement -------------------------------------------------------------------------------------------------

    def verify(self, entries: Sequence[Entry]) -> None:
        """What this client was told is true, and what it should have seen it saw."""
        self._all_sent_once_in_order(entries)
        self._all_seen_once(entries)

    def _all_sent_once_in_order(self, entries: Sequence[Entry]) -> None:
        assert self.acknowledged.keys() | self.failed == self.sent.keys(), "something was neither acknowledged nor refused"
        assert not self.acknowledged.keys() & self.failed, "something was acknowledged and refused"
        own = [entry for entry in entries if entry.identity == self.protocol.identity]
        by_ref = {entry.ref: entry for entry in own}
        for ref, message in self.acknowledged.items():
            assert ref in by_ref, f"lost: {self.sent[ref]} was acknowledged and is not in the log"
            entry = by_ref[ref]
            assert entry.id == message.id
            assert (entry.text, entry.topic) == self.sent[ref][1:]
            assert message.text == entry.text
        refs = [entry.ref for entry in own]
        assert refs == sorted(refs), "messages overtook each other"
        assert len(by_ref) == len(refs), "a message is in the log twice"
        assert by_ref.keys() == self.acknowledged.keys(), "something is in the log that its sender was not told of"

    def _all_seen_once(self, entries: Sequence[Entry]) -> None:
        """Without holes: every message of every conversation for the time that one was in it, and no other."""
        name = self.protocol.name
        assert self.began_at is not None, f"{name} was never welcomed"
        assert not self.protocol.doubled, f"{name} was sent twice: {self.protocol.doubled}"
        seen = {message.id: message for message in self.delivered}
        assert [message.id for message in self.delivered] == sorted(seen), f"{name}: ids must rise"
        allowed: set[int] = set()
        for entry in entries:
            may, must = self._concerns(entry)
            if may:
                allowed.add(entry.id)
            assert entry.id in seen or not must, f"{name} did not see {entry}"
            assert entry.id not in seen or seen[entry.id] == entry.as_msg(), f"{name} saw {entry} as {seen[entry.id]}"
        strange = sorted(seen.keys() - allowed)
        assert not strange, f"{name} was shown what is not its business: {strange}, {self._intervals}"

    def _concerns(self, entry: Entry) -> tuple[bool, bool]:
        """Whether this client may have seen that message, and whether it must have."""
        conv, id = entry.conv, entry.id
        if is_direct(conv):
            mine = self.protocol.identity in parties(conv)
            return mine, mine and id > (self.began_at or 0)
        stays = [until is None or id <= until for other, since, until in self._intervals if other == conv and id > since]
        return bool(stays) or any(other == conv and id > since for other, since in self._replayed), any(stays)


def verify(witnesses: Iterable[Witness], entries: Sequence[Entry]) -> None:
    """Nothing lost, doubled, overtaken, shown to the wrong people; no name with two owners."""
    witnesses = [*witnesses]
    names = [fold(witness.protocol.name) for witness in witnesses]
    assert len(set(names)) == len(names), f"a name has two owners: {names}"
    for witness in witnesses:
        witness.verify(entries)


def entries_of(data_dir: Path) -> list[Entry]:
    """Everything in the log of a server that has ended."""
    database = sqlite3.connect(f"{(data_dir / FILE_NAME).as_uri()}?mode=ro", uri=True)
    try:
        return [entry for row in database.execute(f"{SELECT_RUNS} ORDER BY last") for entry in run_of(row).entries()]
    finally:
        database.close()
