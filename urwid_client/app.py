"""The program with a screen: joins terminal, state and connection. Decides nothing that the pure modules could decide."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import termios
import time
from collections.abc import Callable, Coroutine
from typing import TypeAlias

import urwid
from urwid.display.common import InputClosedError

from common import addresses
from common.client_events import NameRefused, Welcomed
from common.client_protocol import ClientProtocol
from common.errors import Code
from common.invitations import Invitation
from common.text import clean, clean_line
from urwid_client import alerts, commands, garbage, rendering
from urwid_client.completion import Words
from urwid_client.composer import Composer
from urwid_client.connection import Connection, NotKnown, TokenNotKept, Told, why_unreachable
from urwid_client.dialing import dialer_for
from urwid_client.errors import Failed, TooLong, WrongInput
from urwid_client.face import Face
from urwid_client.keys import EDITING, Action
from urwid_client.loop import Loop
from urwid_client.opening import open_link
from urwid_client.output import complain, discard_output
from urwid_client.pacing import Pace
from urwid_client.palette import palette
from urwid_client.pasting import PASTE_KEYS
from urwid_client.preferences import Preferences
from urwid_client.reconnecting import Stage, Status
from urwid_client.renaming import ask_for
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.state import Chat
from urwid_client.terminal import Terminal, is_gone
from urwid_client.tokens import Tokens
from urwid_client.trust import EncryptionRequired, OtherKey, UnknownKey, Unsafe
from urwid_client.welcome import LEAVING, Welcome
from urwid_client.whereabouts import Whereabouts
from urwid_client.widgets.screen import Side

_REMEMBER_SECONDS = 10.0
"""How often it is written down where one is."""
_WRITTEN_SECONDS = 1.0
"""How soon after the last key it is, when something is being written."""
_PASTE_SECONDS = 2.0
"""A paste of which nothing came for so long has ended, and its mark got lost. A network that stalls is quicker."""
_IDLE_MS = 2_000
"""Who does nothing for so long does not wait for anything."""
_ALERT_SECONDS = 1.0
"""How soon after an alert it is, so that nobody is alerted twice after a crash."""

_WHEEL = {4: 3, 5: -3}
"""How many rows up each of the wheel's buttons scrolls."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_STARTED_BY = os.getppid()

Input: TypeAlias = list[str | tuple[str, int, int, int]]


def run(settings: ClientSettings, preferences: Preferences) -> int:
    """Chats until the user leaves; the exit status. Raises `TokensUnusable` and `PinsUnusable`.

    The terminal is left as it was, whatever happens.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # asyncio and Urwid would write warnings over the screen
    garbage.only_when_asked()
    loop = Loop()
    came_from: ClientSettings | None = None
    try:
        while True:
            app = App(settings, preferences, loop, Terminal(), came_from)
            status = app.run()
            if app.go_on is None or status:
                return status
            came_from, settings = app.was_at, app.go_on
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # the loop's handlers go with it, and a signal may come meanwhile
        loop.close()


class App:
    """One run of the client, on one server."""

    def __init__(
        self,
        settings: ClientSettings,
        preferences: Preferences,
        loop: asyncio.AbstractEventLoop,
        screen: urwid.BaseScreen,
        came_from: ClientSettings | None = None,
    ) -> None:
        """`came_from` is where one was last, if this is not the first run."""
        self._came_from = came_from
        self._preferences = preferences
        self._keys = preferences.keymap()
        self._loop = loop
        self._chat = Chat(ClientProtocol("", instance=int.from_bytes(os.urandom(4))))
        self._where = Whereabouts(settings, self._complain)
        self._welcome = self._where.question()
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._remembering: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        """Until what is being written is written down."""
        self._pasting: asyncio.TimerHandle | None = None
        """Until a paste is taken to have ended."""
        self._trying: asyncio.Task[None] | None = None
        """Whether the user can go where they want to, or by the name that they want."""
        self._expiring: asyncio.TimerHandle | None = None
        """Until one of those who are typing is not any more, or one who was awaited is not."""
        self._status, self._last_words = 0, ""
        """The exit status, and what is said once the terminal is given back."""
        self._leaving = False
        self.go_on: ClientSettings | None = None
        """After the run: where to go on, if the user did not leave altogether."""
        self._focused: bool | None = None
        """Whether the terminal's window is the one that the user looks at; None if it does not say."""
        self._used = 0
        """When the user did something here last."""

        self._composer = Composer(self._words)
        self._shown = self._chat.active
        self._face = Face(self._chat, self._composer, self._keys)
        self._face.screen.draw_emoji(preferences.full_emoji)
        self._chat.typing, self._chat.keymap = preferences.typing, self._keys
        for problem in preferences.problems() if came_from is None else ():  # else it was told before
            self._complain(problem)
        self._events = urwid.AsyncioEventLoop(loop=loop)
        self._drawing: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._main = urwid.MainLoop(
            self._face.screen,
            palette(preferences.theme),
            screen,
            handle_mouse=preferences.mouse,
            input_filter=self._on_input,
            event_loop=self._events,
        )
        self._actions = self._table()

    @property
    def was_at(self) -> ClientSettings | None:
        """Where one was welcome last, and can go back to: here, or where one came from if one goes on here in another way."""
        here = self._where.settings
        goes_on_here = self.go_on is not None and addresses.is_same(self.go_on.server, here.server)
        return here._replace(name=self._chat.name, room=None) if self._chat.was_welcome and not goes_on_here else self._came_from

    def run(self) -> int:
        """Returns the exit status."""
        for number in _ENDING:
            self._loop.add_signal_handler(number, self._end_by, number)
        self._events.alarm(0, self._begin)
        if self._welcome is None:
            self._enter()
        self._refresh()
        try:
            self._main.run()
        except (OSError, termios.error, InputClosedError) as problem:
            if not is_gone(problem):
                raise
            discard_output()
            self._status = 1
        finally:
            self._where.remember(self._chat, self._composer, last=True)
            self._end()
        for words in filter(None, (self._last_words, self._unsent(), self._unkept())):
            complain(words)
        return self._status

    def _unsent(self) -> str:
        """What became of messages that the server has not confirmed; empty if there are none."""
        unsent = sum(len(buffer.pending) for buffer in self._chat.buffers)
        if not unsent:
            return ""
        messages, were, they = ("1 message", "was", "it is") if unsent == 1 else (f"{unsent:,} messages", "were", "they are")
        kept = "lost, for nothing can be kept" if self._where.problem else "kept as a draft"
        return f"{messages} to {self._where.settings.server} {were} not sent; {they} {kept}"

    def _unkept(self) -> str:
        """Why what was being written is lost, where something was."""
        return "" if all(buffer.draft.empty for buffer in self._chat.buffers) else self._where.problem

    def _end(self) -> None:
        """Nothing of this run goes on in the next one, which has the same loop."""
        for timer in (self._ticking, self._remembering, self._writing, self._pasting, self._expiring):
            if timer is not None:
                timer.cancel()
        if self._drawing is not None:
            self._events.remove_alarm(self._drawing)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))

    def _begin(self) -> None:
        """Runs when the screen has been started; connecting waits until it has been drawn, too."""
        self._events.enter_idle(self._after_drawing)
        if self._welcome is None:
            self._loop.call_later(0, self._connect)

    def _end_by(self, number: signal.Signals) -> None:
        gone = "" if os.getppid() == _STARTED_BY else ": what had started it is gone (chat-broker, say)"
        self._last_words = f"ended by {number.name}{gone}"
        self._exit(1)

    def _exit(self, status: int = 0) -> None:
        self._status = status
        raise urwid.ExitMainLoop

    async def _leave(self) -> None:
        if self._connection is not None:
            await self._connection.leave()
        self._loop.call_soon(self._exit)

    def _quit(self) -> None:
        self._leaving = True
        self._loop.create_task(self._leave()).add_done_callback(_let_it_be_known)

    def _remember(self) -> None:
        self._where.remember(self._chat, self._composer)

    def _remember_again(self) -> None:
        self._remembering = None
        self._remember()
        garbage.collect(idle=_now() - self._used > _IDLE_MS)
        self._remember_within(_REMEMBER_SECONDS)

    def _remember_within(self, seconds: float) -> None:
        """Writes it down in so many seconds, and regularly after that."""
        if self._remembering is None or self._remembering.when() > self._loop.time() + seconds:
            if self._remembering is not None:
                self._remembering.cancel()
            self._remembering = self._loop.call_later(seconds, self._remember_again)

    def _remember_what_is_written(self) -> None:
        """In a moment, unless another key comes."""
        if self._writing is not None:
            self._writing.cancel()
        self._writing = self._loop.call_later(_WRITTEN_SECONDS, self._remember)

    def _enter(self) -> None:
        """Who one is, and where, is known."""
        self._where.enter(self._chat, self._composer)
        self._remember_within(_REMEMBER_SECONDS)

    def _complain(self, text: str) -> None:
        """Says something about the program itself, as soon as there is a chat to say it in."""
        self._loop.call_soon(self._chat.note, text, _now(), None, True)
        self._loop.call_soon(self._draw_soon)

    def _connect(self) -> None:
        settings = self._where.settings
        assert settings.name is not None
        if self._connection is None:
            tokens = Tokens(find_data_dir(settings))
            self._connection = Connection(dialer_for(settings), self._chat.protocol, tokens, self._on_event, self._on_status)
        self._connection.choose_name(settings.name)
        if self._running is None:
            self._running = self._loop.create_task(self._connection.run())
            self._running.add_done_callback(_let_it_be_known)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def _on_event(self, event: Told) -> None:
        match event:
            case UnknownKey():
                self._ask_about_key(event)
            case EncryptionRequired() if not self._leaving and (encrypted := self._where.encrypted()) is not None:
                self.go_on = encrypted
                self._quit()
            case OtherKey():
                self._chat.distrust(f"{event}; or /connect the new invitation that they give you", _now())
            case Unsafe():
                self._chat.distrust(str(event), _now())
            case TokenNotKept(text) | NotKnown(text):
                self._chat.note(text, _now(), important=True)
            case Welcomed() if self._connection is not None and self._connection.route is not None:
                self._chat.connected(self._connection.route, _now())
                self._chat.handle(event, _now())
            case _:
                self._chat.handle(event, _now())
        if self._face.finder.waits and self._chat.active.loading is None:
            self._face.finder.go_on()
        if isinstance(event, Welcomed):
            self._remember()
        if isinstance(event, NameRefused):
            self._ask_for_name(_why_refused(event))
        self._draw_soon()

    @property
    def _is_chatting(self) -> bool:
        """Whether the user may be writing already. They are told then, and answer with a command: a question would take for its
        answer what is typed at that moment.
        """
        return self._chat.was_welcome or bool(self._unsent()) or not self._composer.draft.empty

    @property
    def _way_back(self) -> str:
        """Where who does not answer a question goes back to; empty where there is nothing but the question."""
        if self._is_chatting:
            return "your conversations"
        return self._came_from.server if self._came_from is not None else ""

    def _go_back(self) -> None:
        self._welcome = None
        if self._came_from is not None and not self._is_chatting:
            self.go_on = self._came_from
            self._quit()

    def _ask_for_name(self, problem: str) -> None:
        if self._is_chatting:
            said = f"{problem.rstrip('.')}. /nick NAME goes on under another one, and what you write until then is sent then"
            if self._came_from is not None and not self._chat.was_welcome:
                said += f"; /connect {self._came_from.server} goes back"
            self._chat.note(said, _now(), important=True)
        else:
            self._welcome = Welcome(self._chat.name, self._where.settings.server, problem=problem, came_from=self._way_back)

    def _ask_about_key(self, unknown: UnknownKey) -> None:
        if self._is_chatting:
            way = f"/connect {unknown.server} shows its key, and asks whether it is the right one"
            self._chat.distrust(f"{unknown.server} is not known here yet; {way}", _now())
        else:
            self._show_key(unknown)

    def _show_key(self, unknown: UnknownKey) -> None:
        self._welcome = Welcome(server=unknown.server, fingerprint=unknown.fingerprint, came_from=self._way_back)

    def _on_status(self, status: Status) -> None:
        if status.stage is Stage.CONNECTING:
            self._chat.forget_what_was_asked(_now())
        if status.stage is Stage.WAITING:
            self._chat.disconnected(self._where.settings.server, f"{status.problem}{status.advice}", _now())
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = self._loop.call_later(1.0, self._tick) if status.stage is Stage.WAITING else None
        self._draw_soon()

    def _tick(self) -> None:
        """Counts the seconds down to the next attempt."""
        self._ticking = self._loop.call_later(1.0, self._tick)
        self._draw_soon()

    def _alert(self) -> None:
        """Tells of what came since the last time, if the user wants to be told."""
        chat, likes, screen = self._chat, self._preferences, self._main.screen
        wanted = alerts.wanted(chat.arrived, likes.alert, chat.active if self._focused else None)
        chat.arrived = []
        if wanted and not alerts.is_elsewhere(self._used, chat.wrote_elsewhere, _now()) and isinstance(screen, Terminal):
            screen.tell(alerts.sequence(wanted, likes.bell, likes.desktop, os.environ))
            self._remember_within(_ALERT_SECONDS)

    def _on_input(self, keys: Input, raw: list[int]) -> Input:
        """Takes all keys; only a change of the window's size is left to Urwid.

        What is written shows at once, also while much comes in: the messages stay as they are until it is their turn. What is
        searched for is shown in them, and is no such thing.
        """
        if not {*keys} <= {"focus out", "window resize"}:
            self._used = _now()
        for key in keys if not self._leaving else ():
            if isinstance(key, str):
                self._on_key(key)
            else:
                self._on_mouse(*key)
            self._show_active()
        self._await_end_of_paste()
        may_stay = self._drawing is not None and not self._face.finder.active
        self._face.screen.body_stays = may_stay and all(map(self._keys.writes, keys))
        self._refresh()
        return [key for key in keys if key == "window resize"]

    def _on_key(self, key: str) -> None:
        before = self._composer.draft
        if key in ("focus in", "focus out"):
            self._focused = key == "focus in"
            self._chat.mark_next = not self._focused
        elif self._welcome is not None and not self._composer.pasting:
            self._on_welcome_key(self._welcome, key)
        elif self._face.finder.active and self._find(key):
            return
        elif self._composer.pasting or key in PASTE_KEYS:
            self._composer.paste(key)
        elif key in self._keys.switches:
            self._switch(self._keys.switches.index(key) + 1)
        elif key in self._keys.actions:
            self._act(self._keys.actions[key])
        elif len(key) == 1:
            self._composer.write(key)
        self._shown.draft = draft = self._composer.draft
        if draft != before:
            self._remember_what_is_written()
            if draft.text != before.text and self._shown is self._chat.active:
                self._chat.typed(draft.text, _now())

    def _await_end_of_paste(self) -> None:
        """Without an end, all keys from then on would belong to it."""
        if self._pasting is not None:
            self._pasting.cancel()
        pasting = self._composer.pasting or (self._welcome is not None and self._welcome.pasting)
        self._pasting = self._loop.call_later(_PASTE_SECONDS, self._end_paste) if pasting else None

    def _end_paste(self) -> None:
        self._on_key("end paste")
        self._draw_soon()

    def _find(self, key: str) -> bool:
        """Whether a key belongs to the search in the messages."""
        finder = self._face.finder
        action = self._keys.actions.get(key)
        if action is not None:
            return finder.do(action)
        if len(key) == 1:
            finder.write(key)
        return len(key) == 1 or key in PASTE_KEYS

    def _act(self, action: Action) -> None:
        if not self._composer.do(action):
            self._actions[action]()

    def _on_welcome_key(self, welcome: Welcome, key: str) -> None:
        """The line is a question: it is written into and answered, and nothing else; Ctrl+C leaves."""
        action = self._keys.actions.get(key)
        if welcome.pasting or key in PASTE_KEYS:
            welcome.paste(key)
        elif action is Action.SEND:
            self._answer(welcome)
        elif action is Action.INTERRUPT:
            self._quit()
        elif action in EDITING:
            getattr(welcome.editor, action.value)()
        elif action is Action.CLOSE and welcome.came_from and not self._face.helps:
            self._go_back()
        elif action in (Action.HELP, Action.CLOSE, Action.PAGE_UP, Action.PAGE_DOWN, Action.REDRAW):
            self._actions[action]()
        elif len(key) == 1:
            welcome.editor.insert(clean(key))

    def _answer(self, welcome: Welcome) -> None:
        if welcome.editor.text.split(maxsplit=1)[:1] in LEAVING:
            self._quit()
        elif welcome.answer():
            self._welcome = None
            if welcome.fingerprint and self._connection is not None:
                self._on_verdict(welcome, self._connection)
                return
            self._where.answer(welcome)
            if self._connection is None:
                self._enter()
            self._connect()

    def _on_verdict(self, welcome: Welcome, connection: Connection) -> None:
        """The user has said whether the key is the server's."""
        if not welcome.refused:
            connection.believe(welcome.fingerprint)
        elif welcome.place is not None:
            self.go_on = self._where.elsewhere(welcome.place)
            self._quit()
        else:
            self._go_back()

    def _on_mouse(self, event: str, button: int, col: int, row: int) -> None:
        """The wheel scrolls, a click on a conversation opens it."""
        if event != "mouse press":
            return
        if button in _WHEEL:
            self._face.scrolled.scroll(_WHEEL[button])
        elif button == 1 and (buffer := self._face.screen.conversation_at(col, row)) is not None:
            self._chat.open(buffer)

    # --- what keys do -------------------------------------------------------------------------------------------------

    def _table(self) -> dict[Action, Callable[[], object]]:
        """What actions do, but for those that the composer does."""
        chat, face, screen = self._chat, self._face, self._face.screen
        return {
            Action.SEND: self._send,
            Action.INTERRUPT: self._quit,
            Action.NEXT_BUFFER: lambda: chat.open_next(1),
            Action.PREVIOUS_BUFFER: lambda: chat.open_next(-1),
            Action.NEXT_UNREAD: chat.open_next_unread,
            Action.PAGE_UP: lambda: face.scrolled.page(1),
            Action.PAGE_DOWN: lambda: face.scrolled.page(-1),
            Action.TO_START: screen.messages.to_start,
            Action.TO_END: screen.messages.to_end,
            Action.TO_UNREAD: screen.messages.to_unread,
            Action.NEXT_MENTION: lambda: screen.messages.to_mention(1),
            Action.PREVIOUS_MENTION: lambda: screen.messages.to_mention(-1),
            Action.OPEN_LINK: lambda: self._open_link(1),
            Action.FIND: face.finder.begin,
            Action.HELP: face.toggle_help,
            Action.TOGGLE_BUFFERS: lambda: screen.toggle(Side.CONVERSATIONS),
            Action.TOGGLE_PEOPLE: lambda: screen.toggle(Side.PEOPLE),
            Action.REDRAW: self._main.screen.clear,
            Action.CLOSE: screen.show_messages,
        }

    def _send(self) -> None:
        self._face.screen.show_messages()
        self._face.screen.messages.to_end()
        text = self._composer.take()
        self._shown.draft = self._composer.draft  # it may be the end of this run that was asked for
        try:
            wish = commands.enter(self._chat, text, _now())
            if wish is not None:
                self._fulfil(wish)
        except (WrongInput, Failed) as wrong:
            self._chat.note(str(wrong), _now(), important=True)
            if isinstance(wrong, TooLong):
                self._composer.give_back(text)
                self._shown.draft = self._composer.draft

    def _fulfil(self, wish: commands.Wish) -> None:
        """Does what a command wants of the program. Raises `WrongInput` and `Failed`."""
        match wish:
            case commands.Quit():
                self._quit()
            case commands.Connect(server):
                self._go_elsewhere(server)
            case commands.Rename(name):
                self._rename(name)
            case commands.ListServers():
                here = self._where.settings.server
                others = [known for known in self._where.servers() if not addresses.is_same(known.server, here)]
                there = [f"{known.server} as {known.name}" for known in others]
                self._chat.note("\n".join([self._where_one_is(here), *there, "/connect SERVER goes to another one"]), _now())
            case commands.Set(key, None):
                self._chat.note(self._preferences.show(key), _now())
            case commands.Set(key, value) if key is not None and value is not None:
                try:
                    self._chat.note(self._preferences.change(key, value), _now())
                finally:
                    self._apply_preferences()
            case commands.Open(number):
                self._open_link(number)

    def _where_one_is(self, here: str) -> str:
        if self._chat.online:
            return f"you are on {here} as {self._chat.name}"
        return f"{here} does not answer at the moment" if self._chat.was_welcome else f"{here} has not answered yet"

    def _go_elsewhere(self, server: Invitation) -> None:
        """To another server, or to this one by another key, if it can be reached. Raises `WrongInput` and `Failed`."""
        key, here = server.fingerprint, self._where.settings
        is_here = addresses.is_same(server.server, here.server)
        unknown = self._connection.unknown if self._connection is not None else None
        if is_here and key is None and unknown is not None:
            self._show_key(unknown)
            return
        if is_here and (key is None or (self._chat.online and dialer_for(here).knows(key))):
            already = f"you are on {here.server} already, as {self._chat.name}, and nothing had to be done"
            said = already if self._chat.online else f"{here.server} is being tried already"
            is_new = server.room and self._chat.find_room(server.room) is None
            raise WrongInput(f"{said}; /join {server.room} goes into the room" if is_new else said)
        self._try(f"connecting to {server.server} …", self._reach(self._where.elsewhere(server)))

    def _try(self, said: str, attempt: Coroutine[object, object, None]) -> None:
        """Says that it is tried, and tries it; what the user wanted before is given up."""
        if self._trying is not None:
            self._trying.cancel()
        self._chat.note(said, _now())
        self._trying = self._loop.create_task(attempt)
        self._trying.add_done_callback(_let_it_be_known)

    async def _reach(self, there: ClientSettings) -> None:
        problem = await why_unreachable(dialer_for(there))
        if self._leaving:
            return
        if problem:
            here, stay = self._where.settings.server, "you are still on" if self._chat.was_welcome else "still trying"
            still = f"; {stay} {here}" if not addresses.is_same(there.server, here) else ""
            self._chat.note(f"{problem}{still}", _now(), important=True)
            self._draw_soon()
        else:
            self._remember()
            self.go_on = there
            self._quit()

    def _rename(self, name: str) -> None:
        """Goes on under another name, if it can be had. Raises `WrongInput` and `Failed`."""
        if self._connection is not None and self._connection.status.stage is Stage.ASKING:  # the one that one had is another's
            self._where.go_by(name)
            self._connect()
            return
        if name == self._chat.name:
            raise WrongInput(f"you go by {name} already")
        if not self._chat.online:
            raise WrongInput("you are not connected; ask for another name once you are")
        self._try(f"asking for {name} …", self._ask_for(name))

    async def _ask_for(self, name: str) -> None:
        connection = self._connection
        assert connection is not None
        assert connection.token is not None
        try:
            refused = await ask_for(name, self._where.settings, connection.token)
            problem = _why_refused(refused) if refused is not None else ""
        except Failed as failed:
            problem = str(failed)
        if self._leaving:
            return
        if problem:
            self._chat.note(f"{problem.rstrip('.')}; you are still {self._chat.name}", _now(), important=True)
        else:
            self._chat.go_by(name, _now())
            self._where.go_by(name)
            connection.go_by(name)
        self._draw_soon()

    def _apply_preferences(self) -> None:
        """What was set holds at once."""
        self._keys = self._preferences.keymap()
        self._face.help.keymap = self._chat.keymap = self._keys
        self._face.screen.draw_emoji(self._preferences.full_emoji)
        self._chat.typing = self._preferences.typing
        if not self._chat.typing:
            self._chat.typists.clear()
        screen = self._main.screen
        screen.register_palette(palette(self._preferences.theme))
        screen.set_mouse_tracking(self._preferences.mouse)
        screen.clear()

    def _open_link(self, number: int) -> None:
        link = rendering.links(self._chat.active, number)
        if not link:
            missing = "there is no link here" if number == 1 else "there are not so many links here"
            self._chat.note(missing, _now(), important=True)
        elif open_link(link):
            self._chat.note(f"opened {link}", _now())
        else:
            self._chat.note(f"nothing here can open {link}", _now(), important=True)

    def _words(self) -> Words:
        rooms = sorted(self._chat.rooms_seen.values())
        likes, servers = self._preferences, [known.server for known in self._where.known]
        topics = [topic] if (topic := self._chat.active.topic.text) else []
        return Words(
            self._chat.speakers(),
            rooms,
            commands.SUGGESTIONS,
            commands.ARGUMENTS,
            likes.suggestions(),
            servers,
            topics,
            likes.words,
        )

    def _switch(self, number: int) -> None:
        if (buffer := self._chat.find_number(number)) is not None:
            self._chat.open(buffer)

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _draw_soon(self) -> None:
        """Something changed that no key did: one drawing for all that changes within a moment."""
        if self._drawing is None:
            self._drawing = self._events.alarm(self._pace.wait(), self._draw)

    def _draw(self) -> None:
        """Urwid draws after each alarm; this one only brings the screen up to date before."""
        self._drawing = None
        self._pace.began(self._loop.time())
        self._face.screen.body_stays = False
        self._refresh()
        self._alert()

    def _after_drawing(self) -> None:
        """Now it is known what is in view: near the beginning of what is loaded, earlier messages are asked for."""
        self._pace.ended(self._loop.time())
        if self._face.screen.messages.wants_older and self._connection is not None:
            self._chat.load_older()
            self._connection.flush()

    def _refresh(self) -> None:
        """Brings the screen up to date, and sends what the protocol has to send."""
        self._show_active()
        self._expire()
        self._face.refresh(self._welcome, self._connection, self._where.settings.server, self._loop.time())
        if self._connection is not None:
            self._connection.flush()

    def _expire(self) -> None:
        wait_ms = self._chat.expire(_now())
        if self._expiring is not None:
            self._expiring.cancel()
        self._expiring = None if wait_ms is None else self._loop.call_later(wait_ms / 1000, self._draw_soon)

    def _show_active(self) -> None:
        """Turns to the active conversation, and to what was being written there."""
        if self._shown is not self._chat.active:
            self._shown = self._chat.active
            self._composer.load(self._shown.draft)
            self._face.turn_to_active()


def _why_refused(refused: NameRefused) -> str:
    if refused.code == Code.NAME_TAKEN:
        return f"The name {clean_line(refused.name)} is taken. Pick another one."
    return clean_line(refused.text)


def _let_it_be_known(task: asyncio.Task[None]) -> None:
    """What goes wrong in a task goes wrong with the program."""
    if not task.cancelled():
        task.result()


def _now() -> int:
    return time.time_ns() // 1_000_000
