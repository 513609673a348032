"""The program with a screen: joins terminal, state and connection. Decides nothing that the pure modules could decide."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import termios
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import urwid
from urwid.display.common import InputClosedError

from common.client_protocol import ClientProtocol, Event, NameRefused
from common.errors import Code, Refused
from common.names import check_name
from common.text import clean
from urwid_client import commands, rendering
from urwid_client.completion import Words
from urwid_client.composer import PASTE_KEYS, Composer, Mode
from urwid_client.connection import Connection, TokenNotKept
from urwid_client.editing import Draft, Editor
from urwid_client.keys import ACTIONS, DIGITS, EDITING, Action
from urwid_client.output import discard_output
from urwid_client.palette import PALETTE
from urwid_client.reconnecting import Stage, Status
from urwid_client.rendering import Spans
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.state import Chat, WrongInput
from urwid_client.tokens import Tokens
from urwid_client.widgets.messages import MessageList
from urwid_client.widgets.overlays import Help, Welcome
from urwid_client.widgets.screen import Screen, Side

_DRAW_SECONDS = 0.03
"""What comes from the server within so long is drawn at once."""
_ESCAPE_SECONDS = 0.05
"""How long the rest of a key's sequence may take; Esc alone is known after that."""

_WHEEL = {4: 3, 5: -3}
"""How many rows up each of the wheel's buttons scrolls."""

_SUGGESTED = 6
"""How many words that could be written are shown."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Input: TypeAlias = list[str | tuple[str, int, int, int]]


def run(settings: ClientSettings) -> int:
    """Chats until the user leaves; the exit status. Raises `TokensUnusable`. The terminal is left as it was, whatever happens."""
    logging.getLogger().addHandler(logging.NullHandler())  # asyncio and Urwid would write warnings over the screen
    loop = asyncio.new_event_loop()
    try:
        return App(settings, loop, Terminal()).run()
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # the loop's handlers go with it, and a signal may come meanwhile
        loop.close()


class Terminal(urwid.display.raw.Screen):
    """The terminal as the client uses it: pastes come as a whole, and the terminal driver keeps no key for itself but Ctrl+Z."""

    def __init__(self) -> None:
        super().__init__(bracketed_paste_mode=True, focus_reporting=False, extended_keys=True)
        self.set_input_timeouts(complete_wait=_ESCAPE_SECONDS)

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Takes the terminal over: at the beginning, and again after it was given back for Ctrl+Z."""
        context = super().start(*args, **kwargs)
        self.tty_signal_keys("undefined", "undefined", "undefined", "undefined")
        return context

    def get_cols_rows(self) -> tuple[int, int]:
        """Columns and rows; of a terminal that does not know (a serial line, a container), what most have."""
        cols, rows = super().get_cols_rows()
        cols, self.maxrow = cols or 80, rows or 24
        return cols, self.maxrow


class App:
    """One run of the client."""

    def __init__(self, settings: ClientSettings, loop: asyncio.AbstractEventLoop, screen: urwid.BaseScreen) -> None:
        self._settings = settings
        self._loop = loop
        self._chat = Chat(ClientProtocol(settings.name or "", instance=int.from_bytes(os.urandom(4))))
        if settings.room:
            self._chat.join(settings.room)
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._status = 0
        self._leaving = False

        self._composer = Composer(self._words)
        self._name = Editor()
        self._naming = settings.name is None
        self._shown = self._chat.active

        self._screen = Screen(self._chat.active)
        self._help = Help()
        self._welcome = Welcome()
        self._events = urwid.AsyncioEventLoop(loop=loop)
        self._drawing: object | None = None
        self._main = urwid.MainLoop(
            self._screen,
            PALETTE,
            screen,
            handle_mouse=settings.mouse,
            input_filter=self._on_input,
            event_loop=self._events,
        )
        self._actions = self._table()

    def run(self) -> int:
        """Returns the exit status."""
        for number in _ENDING:
            self._loop.add_signal_handler(number, self._exit, 1)
        self._events.alarm(0, self._begin)
        self._refresh()
        try:
            self._main.run()
        except (OSError, termios.error, InputClosedError) as problem:
            if not _is_terminal_gone(problem):
                raise
            discard_output()
            return 1
        finally:
            self._end_tasks()
        return self._status

    def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))

    def _begin(self) -> None:
        """Runs when the screen has been started; connecting waits until it has been drawn, too."""
        self._events.enter_idle(self._after_drawing)
        self._loop.call_later(0, self._connect)

    def _connect(self) -> None:
        settings = self._settings
        address = (settings.host, settings.port)
        tokens = Tokens(find_data_dir(settings))
        self._connection = Connection(address, self._chat.protocol, tokens, self._on_event, self._on_status)
        if settings.name:
            self._go_by(settings.name)

    def _go_by(self, name: str) -> None:
        """Says hello under a name."""
        assert self._connection is not None
        self._naming = False
        self._connection.choose_name(name)
        if self._running is None:
            self._running = self._loop.create_task(self._connection.run())
            self._running.add_done_callback(_let_it_be_known)

    def _exit(self, status: int = 0) -> None:
        self._status = status
        raise urwid.ExitMainLoop

    async def _leave(self) -> None:
        if self._connection is not None:
            await self._connection.leave()
        self._loop.call_soon(self._exit)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def _on_event(self, event: Event | TokenNotKept) -> None:
        if isinstance(event, TokenNotKept):
            self._chat.note(event.text, _now(), important=True)
        else:
            self._chat.handle(event, _now())
        if isinstance(event, NameRefused):
            self._naming = True
            self._name.load(Draft(self._chat.name, len(self._chat.name)))
        self._draw_soon()

    def _on_status(self, status: Status) -> None:
        if status.stage is Stage.WAITING:
            self._chat.disconnected(status.problem, _now())
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = self._loop.call_later(1.0, self._tick) if status.stage is Stage.WAITING else None
        self._draw_soon()

    def _tick(self) -> None:
        """Counts the seconds down to the next attempt."""
        self._ticking = self._loop.call_later(1.0, self._tick)
        self._draw_soon()

    def _on_input(self, keys: Input, raw: list[int]) -> Input:
        """Takes all keys; only a change of the window's size is left to Urwid."""
        for key in keys if not self._leaving else ():
            if isinstance(key, str):
                self._on_key(key)
            else:
                self._on_mouse(*key)
            self._show_active()
        self._refresh()
        return [key for key in keys if key == "window resize"]

    def _on_key(self, key: str) -> None:
        if self._naming:
            self._on_naming_key(key)
        elif self._composer.pasting or key in PASTE_KEYS:
            self._composer.paste(key)
        elif key in DIGITS:
            self._switch(DIGITS.index(key))
        elif key in ACTIONS:
            self._act(ACTIONS[key])
        elif len(key) == 1:
            self._composer.write(key)
        self._shown.draft = self._composer.draft

    def _act(self, action: Action) -> None:
        if not self._composer.do(action):
            self._actions[action]()

    def _on_naming_key(self, key: str) -> None:
        """The line is a question: it is written into, answered or cleared, and nothing else."""
        action = ACTIONS.get(key)
        if action is Action.SEND:
            self._choose_name(self._name.text.strip())
        elif action is Action.INTERRUPT:
            self._name.clear() if self._name.text else self._name.insert("/quit")
        elif action in EDITING:
            getattr(self._name, action.value)()
        elif action in (Action.HELP, Action.CLOSE, Action.PAGE_UP, Action.PAGE_DOWN, Action.REDRAW):
            self._actions[action]()
        elif len(key) == 1:
            self._name.insert(clean(key))

    def _on_mouse(self, event: str, button: int, col: int, row: int) -> None:
        """The wheel scrolls, a click on a conversation opens it."""
        if event != "mouse press":
            return
        if button in _WHEEL:
            self._scrolled.scroll(_WHEEL[button])
        elif button == 1 and (buffer := self._screen.conversation_at(col, row)) is not None:
            self._chat.open(buffer)

    # --- what keys do -------------------------------------------------------------------------------------------------

    def _table(self) -> dict[Action, Callable[[], object]]:
        """What actions do, but for those that are methods of the editor."""
        chat, screen = self._chat, self._screen
        return {
            Action.SEND: self._send,
            Action.NEXT_BUFFER: lambda: chat.open_next(1),
            Action.PREVIOUS_BUFFER: lambda: chat.open_next(-1),
            Action.NEXT_UNREAD: chat.open_next_unread,
            Action.PAGE_UP: lambda: self._scrolled.page(1),
            Action.PAGE_DOWN: lambda: self._scrolled.page(-1),
            Action.TO_START: screen.messages.to_start,
            Action.TO_END: screen.messages.to_end,
            Action.HELP: self._toggle_help,
            Action.TOGGLE_BUFFERS: lambda: screen.toggle(Side.CONVERSATIONS),
            Action.TOGGLE_PEOPLE: lambda: screen.toggle(Side.PEOPLE),
            Action.REDRAW: self._main.screen.clear,
            Action.CLOSE: screen.show_messages,
        }

    def _send(self) -> None:
        self._screen.messages.to_end()
        try:
            commands.enter(self._chat, self._composer.take(), _now())
        except WrongInput as wrong:
            self._chat.note(str(wrong), _now(), important=True)
        if self._chat.quitting:
            self._quit()

    def _quit(self) -> None:
        self._leaving = True
        self._loop.create_task(self._leave()).add_done_callback(_let_it_be_known)

    def _choose_name(self, name: str) -> None:
        if name in ("/quit", "/exit"):
            self._quit()
            return
        try:
            self._go_by(check_name(name))
        except Refused as refused:
            self._chat.name_refused = NameRefused(name, refused.code, refused.text)
            self._name.load(Draft(name, len(name)))

    def _words(self) -> Words:
        rooms = sorted(self._chat.rooms_seen.values())
        return Words(self._chat.speakers(), rooms, commands.SUGGESTIONS, commands.ARGUMENTS)

    def _switch(self, index: int) -> None:
        if index < len(self._chat.buffers):
            self._chat.open(self._chat.buffers[index])

    @property
    def _scrolled(self) -> Help | MessageList:
        """What can be scrolled at the moment."""
        return self._help if self._screen.overlay is self._help else self._screen.messages

    def _toggle_help(self) -> None:
        self._screen.overlay = None if self._screen.overlay is self._help else self._help

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _draw_soon(self) -> None:
        """Something changed that no key did: one drawing for all that changes within a moment."""
        if self._drawing is None:
            self._drawing = self._events.alarm(_DRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        """Urwid draws after each alarm; this one only brings the screen up to date before."""
        self._drawing = None
        self._refresh()

    def _after_drawing(self) -> None:
        """Now it is known what is in view: near the beginning of what is loaded, earlier messages are asked for."""
        if self._screen.messages.wants_older and self._connection is not None:
            self._chat.load_older()
            self._connection.flush()

    def _refresh(self) -> None:
        """Brings the widgets up to date, and sends what the protocol has to send."""
        chat, screen = self._chat, self._screen
        self._show_active()
        screen.buffers = chat.buffers
        if screen.overlay is not self._help:
            screen.overlay = self._welcome if self._naming else None
        screen.input.show(("prompt", self._prompt()), self._name.draft if self._naming else self._composer.shown)
        screen.beside_input = [] if self._naming else self._beside_input()
        screen.heading = [("title", "chat-client")] if self._naming else rendering.heading(chat.active)
        screen.status = self._status_words()
        screen.elsewhere = rendering.unread_elsewhere(chat.buffers, chat.active)
        screen.hint = rendering.below(screen.messages.at_end, screen.messages.newer())
        self._welcome.lines = rendering.welcome(self._settings.server, self._name_problem())
        if self._connection is not None:
            self._connection.flush()

    def _show_active(self) -> None:
        """Turns to the active conversation, and to what was being written there."""
        active = self._chat.active
        if self._shown is not active:
            self._composer.load(active.draft)
            self._shown = self._screen.active = active
            self._screen.show_messages()
            self._screen.messages.show(active)

    def _prompt(self) -> str:
        if self._naming:
            return "Your name: "
        return f"search {self._composer.query}: " if self._composer.mode is Mode.SEARCHING else "> "

    def _beside_input(self) -> list[Spans]:
        composer = self._composer
        if composer.mode is Mode.CONFIRMING:
            return rendering.pasted(composer.pasted)
        shown, chosen = composer.suggestions()
        usage = commands.usage(composer.shown.text)
        if usage and not shown:
            return [[("faint", f"  {usage}")]]
        return rendering.suggestions(shown, chosen, _SUGGESTED)

    def _status_words(self) -> Spans:
        chat, connection = self._chat, self._connection
        if self._naming:
            return rendering.status("", "", Status(Stage.NAMELESS), None, 0)
        if connection is None:
            return rendering.status(chat.name, self._settings.server, Status(Stage.CONNECTING), None, 0)
        return rendering.status(chat.name, connection.server, connection.status, connection.lag, self._loop.time())

    def _name_problem(self) -> str:
        refused = self._chat.name_refused
        if refused is None:
            return ""
        if refused.code == Code.NAME_TAKEN:
            return f"The name {refused.name} is taken. Pick another one."
        return refused.text


def _is_terminal_gone(problem: Exception) -> bool:
    """Whether the terminal was closed or is somebody else's now: nobody is there to be told."""
    return isinstance(problem, InputClosedError) or problem.args[0] == errno.EIO


def _let_it_be_known(task: asyncio.Task[None]) -> None:
    """What goes wrong in a task goes wrong with the program."""
    if not task.cancelled():
        task.result()


def _now() -> int:
    return time.time_ns() // 1_000_000
