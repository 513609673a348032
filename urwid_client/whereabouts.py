"""Where one is: the server and the name that this run of the program is for, and what is remembered of it between runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from common import addresses
from common.invitations import Invitation, understand
from urwid_client.composer import Composer
from urwid_client.memory import Known, Memory, MemoryUnusable
from urwid_client.place import Place, has_drafts, remember, restore
from urwid_client.settings import ClientSettings, find_data_dir
from urwid_client.state import Chat
from urwid_client.trust import Wishes
from urwid_client.welcome import Welcome

_Answer = TypeVar("_Answer")


class Whereabouts:
    """What was not said on the command line is as it was the last time; the rest is asked."""

    def __init__(self, settings: ClientSettings, complain: Callable[[str], None]) -> None:
        """`complain` is told once if nothing can be remembered, and again after it could."""
        self._kept: tuple[Place, bool] = {}, False
        """How the place was when it was written down, and whether the server had answered this run of the program."""
        self._is_known = False
        """Whether something is written down of the server."""
        self.problem = ""
        """Why the last that was to be remembered could not be."""
        self._complain = complain
        self._told = False
        self._memory = Memory(find_data_dir(settings))
        known = self._servers()
        self.known = self.servers()
        """Where one was when this run of the program began."""
        if not settings.server_given and known:
            last = understand(known[0].server)
            settings = settings._replace(host=last.host, port=last.port, server_given=True)
        names = [there.name for there in known if addresses.is_same(there.server, settings.server)]
        if settings.name is None and names:
            settings = settings._replace(name=names[0])
        self.settings = settings

    def question(self) -> Welcome | None:
        """What has to be asked before one can go there."""
        if self.settings.name is not None:
            return None
        return Welcome(server=self.settings.server, ask_server=not self.settings.server_given)

    def answer(self, welcome: Welcome) -> None:
        wished = self.settings._replace(name=welcome.name)
        if (place := welcome.place) is not None:
            wishes = Wishes(fingerprint=place.fingerprint) if place.fingerprint else wished.wishes
            wished = wished.at(place)._replace(room=place.room or wished.room, wishes=wishes)
        self.settings = wished

    def servers(self) -> list[Known]:
        """Where one was, the last one first."""
        return [known for known in self._servers() if known.answered]

    def _servers(self) -> list[Known]:
        """The same with those that never answered, where something was written to them."""
        return self._recall(self._memory.servers) or []

    def enter(self, chat: Chat, composer: Composer) -> None:
        """Begins where one left off the last time."""
        name = self.settings.name or ""
        place = self._recall(lambda: self._memory.find(self.settings.server, name)) or {}
        chat.protocol.choose_name(name)
        restore(chat, place)
        if self.settings.room:
            chat.join(self.settings.room)
        composer.restore_history(place.get("sent", ()))
        composer.load(chat.active.draft)
        self._is_known = bool(place)
        self._kept = remember(chat, composer.history.texts), False

    def remember(self, chat: Chat, composer: Composer, *, last: bool = False) -> None:
        """Writes down where one is: of a server that never answered, once there is something that would be lost.

        Where that is not possible, it is tried again the next time; only if that fails as well the user is told, for it may just
        have been another client that had the file. The `last` time it is waited for.
        """
        place, answered = remember(chat, composer.history.texts), chat.protocol.identity is not None
        self._is_known = self._is_known or answered or has_drafts(place)
        failed_before, self.problem = bool(self.problem), ""
        if not self._is_known or (place, answered) == self._kept:
            return
        try:
            self._memory.keep(self.settings.server, chat.name, place, self._kept[0], patient=last)
        except MemoryUnusable as problem:
            self.problem = str(problem)
            if failed_before:
                self._tell(problem)
        else:
            self._kept, self._told = (place, answered), False

    def elsewhere(self, server: Invitation) -> ClientSettings:
        """Another server, under the name that one had there if there was one; or this one, by another key."""
        there = self.settings.at(server)
        if addresses.is_same(there.server, self.settings.server):
            return there
        names = [known.name for known in self.servers() if addresses.is_same(known.server, there.server)]
        return there._replace(name=names[0] if names else there.name)

    def encrypted(self) -> ClientSettings | None:
        """This server, encrypted, as it demands; None where that was tried, or the user does not want it.

        Where one is there is remembered, if something is; else only in which room one wanted to begin.
        """
        wishes, room = self.settings.wishes, None if self._is_known else self.settings.room
        if wishes.demanded or wishes.tls is not None:
            return None
        return self.settings._replace(wishes=wishes._replace(demanded=True), room=room)

    def go_by(self, name: str) -> None:
        """Another name here."""
        self.settings = self.settings._replace(name=name)

    def _recall(self, read: Callable[[], _Answer]) -> _Answer | None:
        """Looks into the memory; where that is not possible, the user is told, and it is done without."""
        try:
            return read()
        except MemoryUnusable as problem:
            self._tell(problem)
            return None

    def _tell(self, problem: MemoryUnusable) -> None:
        if not self._told:
            self._told = True
            self._complain(str(problem))
