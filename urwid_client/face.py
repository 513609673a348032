"""The face of the program: brings the widgets up to date with the state. What a widget then looks like is its own business."""

from __future__ import annotations

from urwid_client import commands, rendering
from urwid_client.composer import Composer, Mode
from urwid_client.connection import Connection
from urwid_client.conversations import by_importance
from urwid_client.editing import Draft
from urwid_client.finding import Finder
from urwid_client.keys import Action, KeyMap
from urwid_client.reconnecting import Route, Stage, Status
from urwid_client.rendering import Span, Spans
from urwid_client.sending import too_long
from urwid_client.state import Chat
from urwid_client.welcome import Welcome
from urwid_client.widgets.messages import MessageList
from urwid_client.widgets.overlays import Help, Page
from urwid_client.widgets.screen import Screen

_SUGGESTED = 6
"""How many words that could be written are shown."""
_SEARCH_HELP = ((Action.SEND, "takes"), (Action.CLOSE, "ends"), (Action.SEARCH_INPUT, "earlier"))
"""What keys do while one searches in what one sent."""


class Face:
    """The screen, and what may stand over it."""

    def __init__(self, chat: Chat, composer: Composer, keymap: KeyMap) -> None:
        self.screen = Screen(chat.active)
        self.help = Help(keymap)
        self._page = Page()
        self.finder = Finder(self.screen.messages, self._load_older, lambda: chat.active.older_exist)
        self._chat = chat
        self._composer = composer

    @property
    def helps(self) -> bool:
        """Whether the help is on top."""
        return self.screen.overlay is self.help

    @property
    def scrolled(self) -> Help | MessageList:
        """What can be scrolled at the moment."""
        return self.help if self.helps else self.screen.messages

    def _load_older(self) -> bool:
        self._chat.load_older()
        return self._chat.active.loading is not None

    def toggle_help(self) -> None:
        self.screen.overlay = None if self.helps else self.help

    def turn_to_active(self) -> None:
        """Shows the active conversation, and nothing that stood over the former one."""
        self.finder.end()
        self.screen.active = self._chat.active
        self.screen.show_messages()
        self.screen.messages.show(self._chat.active)

    def refresh(self, welcome: Welcome | None, connection: Connection | None, server: str, now: float) -> None:
        """Shows what there is to show. `now` is by the clock of the connection's status."""
        chat, screen = self._chat, self.screen
        screen.buffers = chat.buffers
        if not self.helps:
            screen.overlay = self._page if welcome is not None else None
        if welcome is not None:
            self._page.lines = rendering.welcome(welcome, self.help.keymap)
            screen.input.show(("prompt", welcome.question.value), welcome.editor.draft)
        elif (query := self.finder.query) is not None:
            screen.input.show(("prompt", "find: "), Draft(query, len(query)))
        else:
            screen.input.show(self._prompt(), self._composer.shown)
        screen.beside_input = self._beside_input() if welcome is None else []
        route = connection.route if connection is not None else None
        screen.heading = self._heading(route) if welcome is None else [("title", "chat-client")]
        screen.messages.placeholder = rendering.empty(chat.active, self.help.keymap) if chat.active.is_empty else None
        screen.status = self._status(welcome, connection, server, now)
        screen.full_status = self._status(welcome, connection, server, now, names_server=True)
        screen.typing = rendering.typing(chat.typists.names(chat.active.conv)) if welcome is None else []
        key = self.help.keymap.called(Action.HELP)
        screen.help_hint = f"{key} help" if key else "/help"
        screen.elsewhere = rendering.unread_elsewhere(by_importance(chat.buffers), chat.active)
        screen.hint = rendering.below(screen.messages.at_end, screen.messages.newer())

    def _prompt(self) -> Span:
        composer = self._composer
        if composer.mode is not Mode.SEARCHING:
            return ("prompt", "> ")
        return ("bad", f"failing search {composer.query}: ") if composer.failing else ("prompt", f"search {composer.query}: ")

    def _beside_input(self) -> list[Spans]:
        composer, keymap = self._composer, self.help.keymap
        if self.finder.active:
            return [[("faint", f"  {'; '.join(filter(None, [self.finder.outcome, keymap.told(*self.finder.help)]))}")]]
        if composer.mode is Mode.CONFIRMING:
            return rendering.pasted(composer.pasted, keymap)
        if composer.mode is Mode.LEAVING:
            again, enter = keymap.called(Action.INTERRUPT), keymap.called(Action.SEND)
            return [[("faint", f"  {again} again or {enter} leaves, any other key goes on")]]
        if composer.mode is Mode.SEARCHING:
            return [[("faint", f"  {keymap.told(*_SEARCH_HELP)}")]]
        if excess := self._chat.excess(commands.said(composer.shown.text)):
            return [[("important", f"  {too_long(excess, self._chat.most_bytes)}")]]
        shown, chosen = composer.suggestions()
        usage = commands.usage(composer.shown.text)
        if usage and not shown:
            return [[("faint", f"  {usage}")]]
        return rendering.suggestions(shown, chosen, _SUGGESTED)

    def _heading(self, route: Route | None) -> Spans:
        chat, shown = self._chat, self._chat.active
        return rendering.heading(shown, chat.is_absent(shown), chat.is_away(shown), route, chat.ignores(shown))

    def _status(
        self, welcome: Welcome | None, connection: Connection | None, server: str, now: float, names_server: bool = False
    ) -> Spans:
        if welcome is not None:
            return rendering.asking(welcome)
        if connection is None:
            return rendering.status(self._chat.name, server, Status(Stage.CONNECTING), None, 0)
        name, away, link = self._chat.name, self._chat.away, connection
        return rendering.status(name, link.server, link.status, link.lag, now, away, link.route, names_server)
