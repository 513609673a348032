"""Reading the log for a worker's clients: pages of a conversation, and what follows a cursor.

Each call is one short transaction on a connection that cannot write. Readers that overlap without a pause keep SQLite
from beginning its write-ahead log anew, so no transaction stays open between calls; tidying up is the broker's business.
The file does stay open: a worker may have no descriptor left when somebody lags.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import logging
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from common.log import RUN_MESSAGES, Entry, LogUnreadable, Run
from common.log_file import DATABASE_ERRORS, FILE_NAME, SELECT_RUNS, Damage, run_of, underlying, which_files, why
from common.messages import ID_MAX
from workers.streams import Following

logger = logging.getLogger("chat_broker.worker")

_PATIENCE_S = 1.0
"""How long to wait while the broker, after a crash, puts the file in order."""

_WHICH_LOG = "SELECT (SELECT value FROM meta WHERE key = 'uuid'), (SELECT coalesce(max(last), 0) FROM runs)"
_PAGE = f"""
    {SELECT_RUNS} WHERE conversation = (SELECT number FROM conversations WHERE conv = ?) AND last < ? ORDER BY last DESC
"""
_ROOMS = "SELECT number, value FROM json_each(:rooms) JOIN conversations ON conv = key"
_ME = "(SELECT person FROM people WHERE identity = :identity)"
_DIRECT = f"""
    SELECT number FROM conversations WHERE one = {_ME} UNION ALL SELECT number FROM conversations WHERE other = {_ME}
"""
_HOW_MANY = f"SELECT count(*) FROM ({_DIRECT} LIMIT :most)"
_HEADS = f"""
    WITH mine (number, floor) AS ({_ROOMS} UNION SELECT number, 0 FROM ({_DIRECT})),
    heads (last, number) AS (
        SELECT (SELECT min(last) FROM runs WHERE conversation = number AND last > max(:after, floor)), number FROM mine
    )
    SELECT last, number FROM heads WHERE last < :end
"""
"""The first run of each conversation that has any: one step into the index for each of them."""
_AMONG_ALL = f"""
    WITH rooms (number, floor) AS MATERIALIZED ({_ROOMS})
    SELECT last FROM runs CROSS JOIN conversations ON number = conversation
    WHERE last > :after AND last < :end
    AND (one = {_ME} OR other = {_ME} OR last > (SELECT floor FROM rooms WHERE rooms.number = conversation))
    ORDER BY last LIMIT :limit
"""
"""The same runs, by looking at everybody's: one step for each of those."""
_LASTS = "SELECT last, count FROM runs WHERE conversation = ? AND last >= ? AND last < ? ORDER BY last"
_HEADS_AT_ONCE = 1_000
_AMONG_AT_ONCE = 5_000
"""Either takes about 2 ms."""
_HEADS_PER_MESSAGE = 5
_AMONG_PER_MESSAGE = 25
"""How many of them take as long as reading a message and sending it."""
_GROWS_MOST = 1_000
"""So many bytes longer what is shown may be than what stands there: the longest text fits a frame all the same."""
_RUNS = f"{SELECT_RUNS} WHERE last IN (SELECT value FROM json_each(?)) ORDER BY last"


class LogReader:
    """The log in a data directory. Nothing is read before `expect` has told which log that is."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir.absolute() / FILE_NAME
        self._uuid = ""
        self._db: sqlite3.Connection | None = None
        self._files: list[tuple[int, int]] = []
        self._damage = Damage(self._path, logger)
        self._careful = False
        """Each text is looked at by itself, which takes a while: one could not be read as such."""
        self._no_text = False
        """Something was met that is no text, and not told of yet."""

    def expect(self, uuid: str, until: int) -> None:
        """What is read from now on is the log with this uuid, which has messages up to the id `until`.

        Opens it. Raises `LogUnreadable` if that fails; every later call tries again.
        """
        if uuid != self._uuid:
            self.close()
            self._uuid = uuid
        with self._transaction(until):
            pass

    def page(self, conv: str, before: int | None, limit: int, until: int) -> tuple[list[Entry], bool]:
        """The newest `limit` messages with ids below `before` (None: of all) and up to `until`, oldest first.

        And whether there are older ones. Raises `LogUnreadable`.
        """
        newest = until if before is None else min(until, before - 1)
        entries: list[Entry] = []
        with self._transaction(until) as db, contextlib.closing(db.execute(_PAGE, (conv, _end(newest)))) as rows:
            for run in self._whole(rows):
                entries += [entry for entry in reversed(run.entries()) if entry.id <= newest]
                if len(entries) > limit:
                    break
        return entries[:limit][::-1], len(entries) > limit

    def following(
        self, after: int, until: int, rooms: Mapping[str, int], identity: str, limit: int, chars: int = sys.maxsize
    ) -> Following:
        """Up to `limit` messages with ids above `after` and up to `until`, by rising ids; fewer when they are long.

        Those of `rooms` (by conversation, with the id that they must lie above) and of the person's direct conversations.
        Once the texts have `chars` characters in all, no more is read. Raises `LogUnreadable`.

        Usually the conversations are looked into one by one. Where they are many, a part of all messages is looked through
        instead, as no number of conversations may make others wait: there may be none among them, and more behind.
        """
        wanted = {"rooms": json.dumps(dict(rooms)), "identity": identity, "after": after, "limit": limit}
        with self._transaction(until) as db:
            (direct,) = db.execute(_HOW_MANY, {"identity": identity, "most": _HEADS_AT_ONCE + 1}).fetchone()
            conversations = len(rooms) + direct
            if conversations <= _HEADS_AT_ONCE:
                cost = conversations // _HEADS_PER_MESSAGE
                runs, are_all = _in_each(db, wanted, until)
            else:
                until = min(until, after + _AMONG_AT_ONCE)
                cost = (until - after) // _AMONG_PER_MESSAGE
                runs, are_all = _among_all(db, wanted, until)
            with contextlib.closing(db.execute(_RUNS, (json.dumps(runs),))) as rows:
                among = (entry for run in self._whole(rows) for entry in run.entries())
                following = (e for e in among if max(after, rooms.get(e.conv, 0)) < e.id <= until)
                entries = [*islice(_until_enough(following, chars), limit)]
                complete = are_all and next(following, None) is None
        if not complete:
            until = entries[-1].id if entries else min(until, runs[-1])
        return Following(entries, until, len(entries) + cost)

    def _whole(self, rows: Iterable[Sequence[Any]]) -> Iterator[Run]:
        """The runs of these rows. One that is damaged is passed over, and told once: nobody is to be without all behind it."""
        for row in rows:
            if self._no_text:
                self._no_text = False
                self._damage.tell(row[0], f"the messages up to {row[0]} hold what is no text")
            try:
                run = run_of(row)
            except sqlite3.DatabaseError as damage:
                self._damage.tell(row[0], str(damage))
            else:
                yield run

    def _text_of(self, stored: bytes) -> str:
        """What stands in the file as text; where it is none, as much of it as may be."""
        try:
            return stored.decode()
        except UnicodeDecodeError:
            self._no_text = True
            shown = stored.decode(errors="replace")
            return shown if len(shown.encode()) <= len(stored) + _GROWS_MOST else stored.decode(errors="ignore")

    def close(self) -> None:
        """The next call opens the file again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextlib.contextmanager
    def _transaction(self, until: int) -> Iterator[sqlite3.Connection]:
        try:
            db = self._ready(until)
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
        except (OSError, *DATABASE_ERRORS) as problem:
            self.close()
            if not isinstance(problem, OSError) and not hasattr(problem, "sqlite_errorcode"):
                self._careful = True  # it was not SQLite that failed, but making a text of what it gave
            raise LogUnreadable(f"the log {self._path} cannot be read: {self._cause(problem)}") from problem

    def _ready(self, until: int) -> sqlite3.Connection:
        """The connection, to the files that have the log's name now. Raises `OSError` or `sqlite3.Error`."""
        if self._db is not None and which_files(self._path) != self._files:
            self.close()
        if self._db is None:
            self._db = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_PATIENCE_S)
            if self._careful:
                self._db.text_factory = self._text_of
            self._db.execute("PRAGMA temp_store = MEMORY")  # a file would need a descriptor
            self._check(self._db, until)
            self._files = which_files(self._path)  # those beside it are there once something was read
        return self._db

    def _check(self, db: sqlite3.Connection, until: int) -> None:
        """Raises `OSError` if the file is not the log that is expected, or an older state of it. It may be a copy."""
        uuid, last = db.execute(_WHICH_LOG).fetchone()
        if uuid != self._uuid:
            raise OSError("another log is in its place, put back the server's own or restart the server")
        if last < until:
            raise OSError(f"its last message is {last} and not {until}, put back a newer copy or restart the server")

    def _cause(self, problem: Exception) -> str:
        return why(underlying(self._path, problem))


def _until_enough(entries: Iterable[Entry], chars: int) -> Iterator[Entry]:
    """The first of them, up to the one with which their texts have so many characters in all."""
    for entry in entries:
        yield entry
        chars -= len(entry.text)
        if chars <= 0:
            return


def _end(until: int) -> int:
    """Any run that has a message with an id up to `until` ends below this one."""
    return min(until + RUN_MESSAGES, ID_MAX)


def _among_all(db: sqlite3.Connection, wanted: Mapping[str, Any], until: int) -> tuple[list[int], bool]:
    """The first runs that are wanted, as many as messages are, among everybody's; and whether these are all."""
    runs = [last for (last,) in db.execute(_AMONG_ALL, {**wanted, "end": _end(until)})]
    return runs, len(runs) < wanted["limit"]


def _in_each(db: sqlite3.Connection, wanted: Mapping[str, Any], until: int) -> tuple[list[int], bool]:
    """The first runs of the conversations, by rising ids, until they have enough messages; and whether these are all.

    Always the conversation whose next run is the least goes on, for as long as it stays the least. So what is read is what is
    wanted, and one more for each such time: however far behind the cursor is, and however many conversations there are.
    """
    end, limit = _end(until), wanted["limit"]
    heads = db.execute(_HEADS, {**wanted, "end": end}).fetchall()
    heapq.heapify(heads)
    lasts: list[int] = []
    while heads:
        head, number = heapq.heappop(heads)
        least_of_others = heads[0][0] if heads else ID_MAX
        with contextlib.closing(db.execute(_LASTS, (number, head, end))) as rows:
            for last, count in rows:
                if limit <= 0:
                    return lasts, False
                if last > least_of_others:
                    heapq.heappush(heads, (last, number))
                    break
                lasts.append(last)
                limit -= max(1, min(count, RUN_MESSAGES))  # it may be damaged
    return lasts, True
