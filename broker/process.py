"""The broker process: the pipes to the workers, and the log. Runs as a child of the supervisor.

Only moves batches and keeps time; what they mean is decided in `broker.core`. One turn of the loop is: read everything that the
pipes hold, decide, commit once, send everything. While a commit waits for the disk the pipes fill up, and so batches grow with
the load.
"""

from __future__ import annotations

import logging
import selectors
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from broker.core.broker import Broker
from broker.core.pacing import Pacing
from broker.core.tidying import Tidying
from broker.log import Log, StorageError, StorageRefused
from broker.storage.sqlite import SqliteLog
from common.channel import Channel, ChannelClosed
from common.child import Boot, CannotStart
from common.control import Control, Order
from common.limits import Limits

logger = logging.getLogger("chat_broker.broker")

_TICK_SECONDS = 1.0
_LATE_SECONDS = 2.0
"""How long a new broker waits for the workers' introductions, until it has those that are late killed."""
_JUMP_MS = 500
"""By so much the clock of the day and the steady one may differ between two turns; more means that somebody set it."""
_UNSENT_BYTES = 16 * 1024 * 1024
"""What may wait for a worker that does not read, before its stream is dropped."""


class BrokerProcess:
    """One loop over the control socket and the workers' pipes."""

    def __init__(self, log: Log, boot: Boot, control: Control) -> None:
        self._log = log
        self._control = control
        self._core = Broker(log, boot.limits, _wall_ms())
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._take_orders)
        self._channels: dict[int, Channel] = {}
        self._behind: set[int] = set()
        self._next_tick = time.monotonic() + _TICK_SECONDS
        self._wall_before_ms = _wall_ms()
        self._steady_before = time.monotonic()
        self._pacing = Pacing(log.written)
        self._tidying = Tidying()
        self._began_at: float | None = None
        self._said_ready = False
        self._in_trouble = False
        self._stopped = False

    def run(self) -> None:
        """Works until it is told to stop. Raises `ControlClosed`."""
        while not self._stopped:
            self._hear(max(0.0, self._next_tick - time.monotonic()))
            if (left := self._pacing.left(time.monotonic())) > 0:
                time.sleep(left)  # a selector would wait for whole milliseconds
                self._hear(0.0)
            while (left := self._pacing.left_for_others(time.monotonic(), self._core.rows)) > 0:
                self._hear(left)
            self._finish_turn(time.monotonic())

    def _hear(self, patience: float) -> None:
        for key, events in self._selector.select(patience):
            key.data(events)

    def _finish_turn(self, now: float) -> None:
        if now >= self._next_tick:
            self._next_tick = now + _TICK_SECONDS
            self._core.tick(self._now_ms())
            if self._tidying.is_due_in_quiet(self._log.waiting, self._log.written):
                self._tidy()
            self._tell_who_is_late()
        for number, batch in self._core.settle().items():
            self._send(number, batch)
        self._pacing.ended(now, time.monotonic(), self._log.written)
        self._report_trouble()
        if self._tidying.is_due(self._log.waiting):
            self._tidy()
        if self._core.ready and not self._said_ready:
            self._said_ready = True
            self._control.send("ready")
        self._control.flush()

    def _report_trouble(self) -> None:
        """One line when the log cannot be written, and one when it can be again."""
        trouble = self._core.trouble
        if trouble is not None and not self._in_trouble:
            logger.error("messages are refused: %s", trouble)
        elif trouble is None and self._in_trouble:
            logger.info("messages are taken again")
        self._in_trouble = trouble is not None

    def _tell_who_is_late(self) -> None:
        if self._began_at is not None and time.monotonic() > self._began_at + _LATE_SECONDS:
            for number, generation in self._core.strangers:
                self._control.send("late", {"number": number, "generation": generation})

    def _tidy(self) -> None:
        self._tidying.began(self._log.waiting)
        try:
            held = self._log.checkpoint()
            if self._tidying.done(held, self._log.waiting):
                self._log.checkpoint(wait=True)
        except StorageError as problem:
            logger.warning("the log could not be tidied up: %s", problem)

    def _now_ms(self) -> int:
        """The time of day. If the clock was set since the last call, the core is told before it uses it."""
        wall_ms, steady = _wall_ms(), time.monotonic()
        jump_ms = wall_ms - self._wall_before_ms - round((steady - self._steady_before) * 1000)
        self._wall_before_ms, self._steady_before = wall_ms, steady
        if abs(jump_ms) > _JUMP_MS:
            logger.warning("the clock was set %+.1f s", jump_ms / 1000)
            self._core.clock_jumped(jump_ms)
        return wall_ms

    # --- orders of the supervisor --------------------------------------------------------------------------------------

    def _take_orders(self, events: int) -> None:
        for order in self._control.receive():
            self._obey(order)

    def _obey(self, order: Order) -> None:
        match order.kind:
            case "worker":
                number = order.data["number"]
                self._core.worker_came(number, order.data["generation"])
                self._listen_to(number, Channel(Pipe(order.fds[0])))
            case "worker_gone":
                self._core.worker_gone(order.data["number"], order.data["generation"], self._now_ms())
            case "begin":
                self._began_at = time.monotonic()
                self._core.begin(self._now_ms())
            case "limits":
                self._core.use_limits(Limits(**order.data))
            case "status":
                self._control.send("status", self._core.figures())
            case "drain":
                self._core.drain()
            case "stop":
                self._stopped = True

    # --- workers -------------------------------------------------------------------------------------------------------

    def _listen_to(self, number: int, channel: Channel) -> None:
        self._forget(number)
        self._channels[number] = channel
        self._selector.register(channel, selectors.EVENT_READ, lambda events: self._serve(number, channel, events))

    def _forget(self, number: int) -> None:
        channel = self._channels.pop(number, None)
        if channel is not None:
            self._selector.unregister(channel)
            channel.close()
        self._behind.discard(number)

    def _lose(self, number: int) -> None:
        """Its pipe is closed. Mostly it is dead, and the supervisor will say so; else its clients would wait for ever."""
        self._forget(number)
        self._core.pipe_closed(number)

    def _serve(self, number: int, channel: Channel, events: int) -> None:
        if self._channels.get(number) is not channel:
            return
        try:
            if events & selectors.EVENT_WRITE:
                channel.flush()
                self._watch(number, channel)
            batches = channel.receive()
        except ChannelClosed:
            self._lose(number)
            return
        if batches:
            self._pacing.heard(number, time.monotonic())
        for batch in batches:
            self._core.receive(number, batch, self._now_ms())

    def _send(self, number: int, batch: list[object]) -> None:
        channel = self._channels.get(number)
        if channel is None:
            return
        try:
            channel.send(batch)
        except ChannelClosed:
            self._lose(number)
            return
        self._watch(number, channel)

    def _watch(self, number: int, channel: Channel) -> None:
        """Watches for room in the pipe while something waits, and drops the stream of a worker that does not read."""
        if channel.waiting > _UNSENT_BYTES and number not in self._behind:
            logger.warning("worker %d does not read: it will be told everything anew", number)
            self._behind.add(number)
            self._core.fell_behind(number)
        elif number in self._behind and not channel.waiting:
            self._behind.discard(number)
            self._core.caught_up(number)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.waiting else 0)
        if self._selector.get_key(channel).events != events:
            self._selector.modify(channel, events, lambda events: self._serve(number, channel, events))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def main(boot: Boot, control: Control) -> None:
    """What `common.child.run` calls."""
    try:
        log = SqliteLog.open(Path(boot.data_dir))
    except StorageRefused as refused:
        raise CannotStart(str(refused)) from None
    try:
        BrokerProcess(log, boot, control).run()
    finally:
        log.close()
