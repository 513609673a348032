"""What is broken in each of the broken builds: the module, and how it is changed. The names are what CHAT_BROKER_BROKEN takes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.support.timeouts import seconds

Breaks: TypeAlias = Callable[[Any], None]

BUILDS: dict[str, tuple[str, Breaks]] = {}


def build(module: str) -> Callable[[Breaks], Breaks]:
    """The function below changes this module; its name is the build's."""

    def add(breaks: Breaks) -> Breaks:
        BUILDS[breaks.__name__] = module, breaks
        return breaks

    return add


@build("workers.requests")
def forgets_requests(requests: Any) -> None:
    """What was not answered when the broker died is not asked again."""

    def take_all(self: Any) -> None:
        self.take_new()
        for _ in self.answered(self._first + len(self) - 1):
            pass

    requests.Requests.take_all = take_all


@build("workers.log_reader")
def replays_with_holes(log_reader: Any) -> None:
    """Who comes back does not get the first message that it missed."""
    following = log_reader.LogReader.following

    def following_but_one(self: Any, *wanted: Any) -> Any:
        found = following(self, *wanted)
        return found._replace(entries=found.entries[1:])

    log_reader.LogReader.following = following_but_one


@build("workers.hub")
def replays_what_was_seen(hub: Any) -> None:
    """Who comes back gets also some of what it had."""
    welcome = hub.Hub._welcome

    def welcome_too_early(self: Any, sid: int, *more: Any) -> None:
        session = self._sessions.get(sid)
        if session is not None and session.resuming is not None:
            ref, after = session.resuming
            session.resuming = ref, max(0, after - 20)
        welcome(self, sid, *more)

    hub.Hub._welcome = welcome_too_early


@build("workers.log_reader")
def opens_the_log_late(log_reader: Any) -> None:
    """A worker opens the log only for the first who needs it."""

    def expect(self: Any, uuid: str, until: int) -> None:
        self._uuid = uuid

    log_reader.LogReader.expect = expect


@build("broker.core.broker")
def grants_names_early(broker: Any) -> None:
    """A new broker grants names before every worker has introduced itself."""
    broker.Broker.strangers = property(lambda self: [])


@build("broker.core.names")
def grants_names_twice(names: Any) -> None:
    """A name that somebody has is anybody's."""
    names.Owner.holds = lambda self, now_ms: False


@build("workers.tokens")
def believes_any_token(tokens: Any) -> None:
    """Whoever knows an identity may say that it is theirs."""
    tokens.hmac.compare_digest = lambda one, other: True


@build("workers.process")
def leaves_without_a_word(process: Any) -> None:
    """A worker that is to stop just ends."""
    obey = process.WorkerProcess._obey

    def obey_at_once(self: Any, order: Any) -> None:
        if order.kind == "drain":
            self._stopped = True
        else:
            obey(self, order)

    process.WorkerProcess._obey = obey_at_once


@build("workers.process")
def closes_with_the_broker(process: Any) -> None:
    """A worker that loses the broker closes its clients' connections."""
    leave = process.WorkerProcess._leave_broker

    def leave_and_close(self: Any) -> None:
        leave(self)
        for connection in [*self._connections.values()]:
            self._drop(connection)

    process.WorkerProcess._leave_broker = leave_and_close


@build("broker.restarts")
def takes_its_time(restarts: Any) -> None:
    """Who died is started again after three seconds, on a machine that is no slower than it should be."""
    restarts.History.delay = property(lambda self: seconds(3.0))


@build("broker.supervisor")
def waits_for_the_stopped(supervisor: Any) -> None:
    """A worker that does not introduce itself to a new broker is waited for."""
    supervisor.Supervisor._late = lambda self, worker: None


@build("common.child")
def outlives_its_parent(child: Any) -> None:
    """A child does not notice that the supervisor is gone."""
    child.end_with = lambda parent, number: None


@build("workers.acceptor")
def spins_without_descriptors(acceptor: Any) -> None:
    """The acceptor does not pause when the system is short of descriptors."""
    acceptor.Acceptor._pause = lambda self, problem: None


# --- the disk ----------------------------------------------------------------------------------------------------------


@build("broker.storage.sqlite")
def does_not_sync_commits(sqlite: Any) -> None:
    """A commit does not wait for the disk."""
    begin = sqlite.SqliteLog.__init__
    sqlite.SqliteLog.__init__ = lambda self, path, meta, lock, synchronous: begin(self, path, meta, lock, "NORMAL")


@build("broker.storage.sqlite")
def takes_failed_commits_for_done(sqlite: Any) -> None:
    """What the disk did not take is acknowledged all the same."""
    append = sqlite.SqliteLog.append

    def append_or_pretend(self: Any, drafts: Any, people: Any) -> Any:
        ends = itertools.accumulate((len(draft.texts) for draft in drafts), initial=self._used_id)
        try:
            return append(self, drafts, people)
        except sqlite.StorageError:
            return [draft._replace(first=end + 1) for end, draft in zip(ends, drafts, strict=False)]

    sqlite.SqliteLog.append = append_or_pretend


@build("broker.storage.sqlite")
def never_heals(sqlite: Any) -> None:
    """After a failed commit nothing is written any more."""
    append = sqlite.SqliteLog.append
    failures: list[Exception] = []

    def append_unless_it_failed(self: Any, drafts: Any, people: Any) -> Any:
        if failures:
            raise failures[0]
        try:
            return append(self, drafts, people)
        except sqlite.StorageError as problem:
            failures.append(problem)
            raise

    sqlite.SqliteLog.append = append_unless_it_failed


@build("broker.core.broker")
def lets_nobody_in_without_a_disk(broker: Any) -> None:
    """A hello is refused while the log cannot be written."""
    hello = broker.Broker._hello

    def hello_or_refuse(self: Any, worker: Any, sid: int, ref: int, *more: Any) -> None:
        if self.trouble is None:
            hello(self, worker, sid, ref, *more)
        else:
            self._steps.append(broker.Tell(worker.number, ["refused", sid, ref, "storage_full", str(self.trouble)]))

    broker.Broker._hello = hello_or_refuse


@build("broker.storage.opening")
def starts_on_damage(opening: Any) -> None:
    """Neither the schema nor the newest messages are looked at."""
    opening._check_schema = lambda path, db: None
    opening.check_newest = lambda path, db, meta: None


@build("broker.storage.sqlite")
def never_tidies_up(sqlite: Any) -> None:
    """The write-ahead log is never put into the file."""
    sqlite.SqliteLog.checkpoint = lambda self, wait=False: 0


@build("broker.storage.chain")
def does_not_follow_the_chain(chain: Any) -> None:
    """The messages' checksums are not looked at."""
    chain.findings = lambda db, log, after=0: iter(())


# --- hard conditions: nothing is broken by these ------------------------------------------------------------------------


@build("common.child")
def has_a_clock_that_jumps(child: Any) -> None:
    """The clock is wrong by as many seconds as the file that CHAT_BROKER_TEST_CLOCK names says."""
    import os
    import time

    path, true_ns = os.environ["CHAT_BROKER_TEST_CLOCK"], time.time_ns

    def time_ns() -> int:
        with open(path) as file:
            return true_ns() + int(file.read()) * 10**9

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


@build("broker.storage.sqlite")
def has_a_small_cache(sqlite: Any) -> None:
    """The broker's memory for the database is full at once, and so does not grow while it is looked at."""
    sqlite._CACHE_KIB = 512


@build("common.channel")
def has_tiny_pipes(channel: Any) -> None:
    """The pipes between the processes hold a few KiB, and little may wait for one that does not read."""
    import socket

    begin = channel.Channel.__init__

    def begin_tiny(self: Any, connection: Any) -> None:
        with socket.socket(fileno=os.dup(connection.fileno())) as pipe:
            pipe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        begin(self, connection)

    channel.Channel.__init__ = begin_tiny


@build("broker.process")
def drops_streams_early(process: Any) -> None:
    """A worker that does not read is behind as soon as 16 KiB wait for it."""
    process._UNSENT_BYTES = 16 * 1024


@build("broker.core.broker")
def gives_names_away(broker: Any) -> None:
    """The names of two people at a worker that was told nothing for a while are another's when it introduces itself."""
    import random

    introduce = broker.Broker._introduce

    def introduce_without_some(self: Any, worker: Any, sessions: Any, more: bool) -> None:
        known = [session for sid, *_ in sessions if (session := worker.sessions.get(sid)) is not None]
        for session in random.sample(known, min(len(known), 2)):
            self._people.end(worker, session, self._now_ms)
            self._people._names.keep(session.key, session.name, "another", self._now_ms + 1)  # they may come back with it
        introduce(self, worker, sessions, more)

    broker.Broker._introduce = introduce_without_some


@build("broker.core.tidying")
def waits_for_readers_early(tidying: Any) -> None:
    """Tidying up is due after 1 MiB, and waits for a moment without readers as soon as the write-ahead log has 2 MiB."""
    tidying._PAGES, tidying._PAGES_HELD = 250, 500


@build("broker.storage.sqlite")
def notes_commit_times(sqlite: Any) -> None:
    """Each commit's time, with that of tidying up since the last one, goes to the file that CHAT_BROKER_TEST_COMMITS names."""
    import time

    append, checkpoint = sqlite.SqliteLog.append, sqlite.SqliteLog.checkpoint
    times = os.open(os.environ["CHAT_BROKER_TEST_COMMITS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    spent = 0.0

    def checkpoint_timed(self: Any, wait: bool = False) -> Any:
        nonlocal spent
        began = time.monotonic()
        pages = checkpoint(self, wait)
        spent += time.monotonic() - began
        return pages

    def append_timed(self: Any, drafts: Any, people: Any) -> Any:
        nonlocal spent
        began = time.monotonic()
        entries = append(self, drafts, people)
        if entries:
            os.write(times, b"%f\n" % (spent + time.monotonic() - began))
            spent = 0.0
        return entries

    sqlite.SqliteLog.append, sqlite.SqliteLog.checkpoint = append_timed, checkpoint_timed


# --- pipes and clocks --------------------------------------------------------------------------------------------------


@build("common.channel")
def blocks_on_its_pipe(channel: Any) -> None:
    """A batch is written whole before anything else is done."""

    def send(self: Any, batch: Any) -> None:
        os.set_blocking(self._fd, True)
        data = channel.frame(channel.msgpack.packb(batch))
        while data:
            data = data[os.write(self._fd, data) :]
        os.set_blocking(self._fd, False)

    channel.Channel.send = send


@build("broker.core.broker")
def forgets_who_fell_behind(broker: Any) -> None:
    """A worker whose stream was dropped goes on as if it had been told everything."""

    def caught_up(self: Any, number: int) -> None:
        self._workers[number].behind = False
        self._workers[number].listening = True

    broker.Broker.caught_up = caught_up


@build("workers.hub")
def keeps_who_was_thrown_out(hub: Any) -> None:
    """A worker does not mind when the broker throws one of its clients out."""
    hub.Hub._lost = lambda self, sid, code, text: None


@build("workers.process")
def times_by_the_wall_clock(process: Any) -> None:
    """Silence is measured with the clock on the wall."""
    process.time.monotonic = process.time.time


@build("broker.core.names")
def keeps_names_by_the_wall_clock(names: Any) -> None:
    """How long a name is still kept changes with the clock."""
    names.Names.clock_jumped = lambda self, by_ms: None


@build("workers.hub")
def reads_without_end(hub: Any) -> None:
    """A worker reads from its clients however much waits for the broker."""
    hub.Hub._may_ask = lambda self, session: True


@build("broker.process")
def keeps_everything_for_the_stopped(process: Any) -> None:
    """The broker keeps what a worker does not read, however much it is."""
    process._UNSENT_BYTES = 2**40


@build("broker.process")
def keeps_little_for_the_stopped(process: Any) -> None:
    """Not broken, but with a smaller bound, which an everyday run reaches sooner."""
    process._UNSENT_BYTES = 2 * 2**20


# --- slow readers ------------------------------------------------------------------------------------------------------


@build("workers.hub")
def forgets_slow_readers(hub: Any) -> None:
    """What a slow client's connection does not take is thrown away."""
    hub.Hub.lag = lambda self, sid, cursor: None


@build("workers.hub")
def throws_slow_readers_out(hub: Any) -> None:
    """A client whose connection does not take everything is said goodbye to."""

    def throw_out(self: Any, sid: int, cursor: int) -> None:
        self._say_goodbye(self._sessions[sid], "error", "too slow")

    hub.Hub.lag = throw_out


@build("workers.fanout")
def queues_for_slow_readers(fanout: Any) -> None:
    """What a slow client's connection does not take is kept in memory, however much it is."""
    fanout.remainder = lambda delivery, taken, room: fanout.Remainder(delivery.data[taken:], None)


@build("workers.process")
def shakes_all_hands_at_once(process: Any) -> None:
    """A turn goes on with every TLS handshake that can go on."""
    process._HANDSHAKING_SECONDS = float("inf")


@build("workers.process")
def reads_all_at_once(process: Any) -> None:
    """All that a client has sent is dealt with before anything else."""
    from workers import hub

    process._READ_BYTES = hub._REQUESTS_AT_ONCE = 4 * 2**20


@build("workers.handoff")
def keeps_its_copies(handoff: Any) -> None:
    """The acceptor keeps a descriptor of each connection that it passed on."""
    give = handoff.AcceptorEnd.give

    def give_and_keep(self: Any, connection: Any, host: str, port: int) -> None:
        give(self, connection, host, port)
        connection.dup().detach()

    handoff.AcceptorEnd.give = give_and_keep


@build("workers.process")
def replays_all_at_once(process: Any) -> None:
    """Whoever comes back is sent all that it missed, whether it reads or not."""
    from workers import fanout, streams

    begin = streams.Streams.__init__

    def begin_without_helpings(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        self._helping_bytes = 1 << 40

    streams.Streams.__init__ = begin_without_helpings  # type: ignore[assignment, method-assign]
    process.remainder = lambda delivery, taken, room: fanout.Remainder(delivery.data[taken:], None)
