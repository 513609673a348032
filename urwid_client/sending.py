"""Sending: what the user says goes to the server, and stays marked until the server has it. On top of `filing`, below `state`."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from common import messages as m
from common.client_events import Acknowledged, SendDelayed, SendFailed
from common.client_protocol import ClientProtocol, Phase
from common.errors import Code, Refused
from common.limits import MEMBERS_SHOWN, Limits
from common.names import as_room, check_name, check_room, fold
from common.text import clean, clean_line, is_blank
from urwid_client import emoji, markup
from urwid_client.buffers import Buffer, Kind, Said
from urwid_client.errors import TooLong, WrongInput
from urwid_client.filing import Filing
from urwid_client.keys import Action, KeyMap
from urwid_client.typists import AFTER_MESSAGE_MS, EVERY_MS

_ASK_AGAIN_MS = 10 * 60 * 1000
"""How often it is asked whether somebody is away of whom nobody tells it, while one writes to them."""


class Purpose(enum.Enum):
    """What somebody is looked up for, and what is told of the answer."""

    USER = enum.auto()
    """The user asked, and is shown all of it."""
    AWAY = enum.auto()
    """That they are away, if they are."""
    IDENTITY = enum.auto()
    """If they are not whom one knew by this name."""
    RENAMED = enum.auto()
    """Whom one talks to may go by this name now, and is called by it if they do."""


class Lookup(NamedTuple):
    """A question about a person that is not answered."""

    buffer: Buffer
    """Where the answer is shown."""
    name: str
    purpose: Purpose = Purpose.USER


class Sending(Filing):
    """The conversations, and what is on its way into them."""

    def __init__(self, protocol: ClientProtocol) -> None:
        super().__init__(protocol)
        self.lookups: dict[int, Lookup] = {}
        """What was asked about people, by ref."""
        self.typing = True
        """Whether others are told that the user is typing, and the user of others."""
        self.keymap = KeyMap({})
        """The keys as they are bound, where one is told of them."""
        self._delay = ""
        """What was said last about a message that has to wait."""

    @property
    def online(self) -> bool:
        return self.protocol.phase in (Phase.REPLAYING, Phase.LIVE)

    @property
    def name(self) -> str:
        return self.protocol.name

    def note(self, text: str, now: int, buffer: Buffer | None = None, important: bool = False) -> None:
        """Says something to the user; in the active buffer, if no other is named."""
        (buffer or self.active).note(text, now, self.known, important)

    def is_absent(self, buffer: Buffer) -> bool | None:
        """Whether the other person of a direct conversation is not there; None where that is not known."""
        everybody_known = self.online and len(self.lobby.people) == self.lobby.head_count
        if buffer.kind is not Kind.DIRECT or not everybody_known or buffer.former:
            return None
        return fold(buffer.title) not in self.lobby.people

    def is_away(self, buffer: Buffer) -> bool | None:
        """Whether the other person of a direct conversation is away; None where that is not known.

        Of large rooms, which are not known as a whole, nobody tells.
        """
        if buffer.kind is not Kind.DIRECT or not self.online or buffer.former:
            return None
        name = fold(buffer.title)
        seen_in = [room for room in self.buffers if name in room.people and len(room.people) == room.head_count]
        return any(name in room.away for room in seen_in) if seen_in else None

    def say(self, text: str, now: int) -> None:
        """Sends to the active buffer. Raises `WrongInput`."""
        self._send(self.active, self._sendable(text), now, self.active.conv)

    def say_to(self, name: str, text: str, now: int) -> None:
        """Sends to whoever goes by this name now, or to a room that one is in, and opens that conversation. Raises `WrongInput`.

        A conversation that is known may have been with another person of that name: where the message went, its
        acknowledgement tells.
        """
        text = self._sendable(text)
        buffer = self.room(name) if m.is_room(name) else self.direct(name)
        self._send(buffer, text, now, conv=None)
        self.open(buffer)

    def direct(self, name: str) -> Buffer:
        """The buffer of the conversation with whoever goes by this name; a new one if there is none. Raises `WrongInput`."""
        check_as_input(check_name, name)
        if fold(name) == fold(self.name):
            raise WrongInput("that is you")
        found = next((buffer for buffer in self.find_directs(name) if not buffer.former), None)
        return found or self.add(Buffer(Kind.DIRECT, name))

    def room(self, name: str) -> Buffer:
        """The buffer of a room that one is in. Raises `WrongInput`."""
        found = self.find_room(as_room(name))
        if found is None:
            check_as_input(check_room, as_room(name))
            raise WrongInput(f"you are not in {name}; /join {as_room(name)}")
        return found

    @property
    def known(self) -> int:
        """The greatest id that was seen: where notes are put."""
        return self.protocol.cursor or 0

    @property
    def most_bytes(self) -> int:
        """What the server takes of one message."""
        return int(self.protocol.limits.get("text_bytes", Limits().text_bytes))

    def excess(self, text: str) -> int:
        """By how many bytes a message is too long."""
        return max(len(_as_sent(text).encode()) - self.most_bytes, 0) if 4 * len(text) > self.most_bytes else 0

    def _sendable(self, text: str) -> str:
        """Raises `TooLong`."""
        if excess := self.excess(text):
            raise TooLong(f"this is {too_long(excess, self.most_bytes)}: shorten it, or send it in parts")
        return _as_sent(text)

    def _send(self, buffer: Buffer, text: str, now: int, conv: str | None) -> None:
        if buffer.kind is Kind.SERVER:
            key = self.keymap.called(Action.PREVIOUS_BUFFER)
            ways = ", ".join(filter(None, [key, "/join #room", "/query NAME"]))
            raise WrongInput(f"nobody would read this here; go to a conversation first ({ways})")
        _check_joined(buffer)
        self._tell_if_away(buffer, now)
        buffer.typing_told = now - EVERY_MS + AFTER_MESSAGE_MS
        self._put(buffer, text, now, conv)

    def _put(self, buffer: Buffer, text: str, now: int, conv: str | None, topic: bool = False) -> None:
        """On its way."""
        ref = self.protocol.send(buffer.title, text, conv, topic)
        buffer.add_pending(ref, self.name, text, now, topic)
        buffer.viewport.to_end()
        self.pending_in[ref] = buffer

    def set_topic(self, text: str, now: int) -> None:
        """Says what the active room is about from now on; with an empty text, nothing any more. Raises `WrongInput`."""
        room = self.active
        check_is_room(room)
        _check_joined(room)
        line = emoji.replace(clean_line(text))
        if text and is_blank(line):
            raise WrongInput("nothing would be seen of this topic; /topic - clears it")
        most = self.protocol.limits.get("topic_bytes", Limits().topic_bytes)
        if (excess := len(line.encode()) - most) > 0:
            raise TooLong(f"this topic is {too_long(excess, most)}: shorten it")
        self._put(room, line, now, room.conv, topic=True)

    def typed(self, text: str, now: int) -> None:
        """The user has changed what they are writing into the active buffer: tells the others, if there are few, now and then."""
        buffer = self.active
        is_command = text.startswith("/") and not text.startswith("//")
        if is_command or not text.strip() or not self._tells_typing(buffer):
            return
        if abs(now - buffer.typing_told) >= EVERY_MS:  # also where the clock was set back
            buffer.typing_told = now
            self.protocol.typing(buffer.title, buffer.conv)

    def _tells_typing(self, buffer: Buffer) -> bool:
        """Whether there is anybody to tell, and the user wants it."""
        match buffer.kind:
            case Kind.ROOM:
                return self.typing and buffer.joined and 1 < buffer.head_count <= MEMBERS_SHOWN
            case Kind.DIRECT:
                return self.typing and not (self.ignores(buffer) or buffer.former or self.is_absent(buffer))
        return False

    def ignores(self, buffer: Buffer) -> bool:
        """Whether the user sees nothing of what the other person of a direct conversation says."""
        return buffer.kind is Kind.DIRECT and self.is_ignored(buffer.title, buffer.peer)

    def _tell_if_absent(self, buffer: Buffer, now: int) -> None:
        """Said once for each absence, and only where everybody who is there is known."""
        absent = self.is_absent(buffer)
        if absent is None:
            return
        if absent and not buffer.absence_told:
            self.note(f"{buffer.title} is not here now, and will see this when they come back", now, buffer)
        buffer.absence_told = absent

    def _tell_if_away(self, buffer: Buffer, now: int) -> None:
        """Said once for each time that they are, and with the reason, which only the server knows."""
        away = self.is_away(buffer)
        if away is None:
            unknown = buffer.kind is Kind.DIRECT and not buffer.former and self.is_absent(buffer) is None
            wanted = unknown and abs(now - buffer.away_asked) >= _ASK_AGAIN_MS
        else:
            wanted = away and not buffer.away_asked
        if away is False:
            buffer.away_asked = 0
        if wanted and self.online:
            buffer.away_asked = now
            self.lookups[self.protocol.whois(buffer.title)] = Lookup(buffer, buffer.title, Purpose.AWAY)

    def on_acknowledged(self, acknowledged: Acknowledged, now: int) -> None:
        ref, message = acknowledged
        self._delay = ""
        buffer = self.pending_in.pop(ref, None)
        if buffer is None:
            return
        buffer.pending.pop(ref, None)
        if buffer not in self.buffers:  # it was put away; what is delivered now opens it again
            return
        conv = message.options.get("conv")
        if buffer.conv is None and conv is not None:
            buffer = self.bind(buffer, conv)
        elif buffer.conv != conv and conv is not None:
            buffer = self.go_on_with_whom_has_the_name(buffer, conv)
        self.tell_whose_name_it_is(message, buffer, now)
        buffer.add(self.said_of(message))
        self._tell_if_absent(buffer, now)

    def tell_whose_name_it_is(self, message: m.Msg, buffer: Buffer | None, now: int) -> None:
        """Before a message is filed: where a name has changed hands, the conversations with both of them say so."""
        self.tell_of_former(self.learn_name(message), now)
        if buffer is None or buffer.kind is not Kind.DIRECT or any(isinstance(entry, Said) for entry in buffer.entries):
            return
        if any(other.former for other in self.find_directs(buffer.title)):
            said = f"this is not the {buffer.title} whom you talked to before: somebody else has the name now"
            buffer.note(said, now, message.id - 1, important=True)

    def tell_of_former(self, buffers: list[Buffer], now: int) -> None:
        """In conversations with somebody whose name somebody else has from now on."""
        for buffer in buffers:
            said = f"somebody else goes by the name {buffer.title} now; what you write here is for the former one alone"
            self.note(said, now, buffer, important=True)

    def follow(self, renamed: Mapping[str, str], now: int) -> None:
        """Conversations with those who go by another name (by that: the one before) are called by it, and say so.

        Where one knows whom one talks to, that is asked first: somebody else may have had their name for a moment.
        """
        names = {fold(before): name for name, before in renamed.items()}
        for buffer in self.buffers if names else ():
            if buffer.kind is Kind.DIRECT and not buffer.former and (name := names.get(fold(buffer.title))) is not None:
                if buffer.peer is None:
                    self.call(buffer, name, now)
                else:
                    self.lookups[self.protocol.whois(name)] = Lookup(buffer, name, Purpose.RENAMED)

    def call(self, buffer: Buffer, name: str, now: int) -> None:
        """The other person of a direct conversation goes by this name now."""
        if name != buffer.title:
            buffer.add_traffic((), (), now, self.known, {name: buffer.title})
            buffer.title = name

    def ask_who_is(self, names: Iterable[str]) -> None:
        """Those who came, and with whose names one has talked before, may be others."""
        for buffer in [buffer for name in names for buffer in self.find_directs(name)]:
            if buffer.peer is not None and not buffer.former:
                self.lookups[self.protocol.whois(buffer.title)] = Lookup(buffer, buffer.title, Purpose.IDENTITY)

    def on_send_failed(self, failed: SendFailed, now: int) -> None:
        buffer, text = self.pending_in.pop(failed.ref, None), clean_line(failed.text)
        if buffer is None:
            return
        if failed.code == Code.BAD_TOKEN:  # it is not the message that is wrong
            buffer.give_back(failed.ref, text)
        else:
            buffer.fail(failed.ref, text, self.known)
        if buffer is not self.active:
            self.note(f"a message to {buffer.title} could not be sent: {text}", now, important=True)

    def forget_given_back(self, buffer: Buffer, message: m.Msg) -> None:
        """What was given back is not to be said any more where the server turns out to have it."""
        if self.is_own(message) and message.ref not in self.pending_in:
            buffer.pending.pop(message.ref, None)

    def on_send_delayed(self, delayed: SendDelayed, now: int) -> None:
        """Said once: as long as it lasts the same answer comes every second."""
        buffer = self.pending_in.get(delayed.ref)
        said = f"your message waits: {clean_line(delayed.text)}; it is sent as soon as the server can take it"
        if buffer is not None and said != self._delay:
            self.note(said, now, buffer, important=True)
        self._delay = said

    def said_of(self, message: m.Msg) -> Said:
        text, own = clean(message.text), self.is_own(message)
        topic = message.options.get("topic", False)
        mentioned = self.name if not (own or topic) and is_mentioned(self.name, text) else ""
        sender = clean_line(message.sender)
        if topic:
            text = clean_line(text)
        return Said((message.id, 0), message.time_ms, sender, text, own, mentioned, topic=topic)


def _as_sent(text: str) -> str:
    return emoji.replace(clean(text).rstrip("\n"))


def is_mentioned(name: str, text: str) -> bool:
    """Whether the name stands in the text as a word of its own."""
    return bool(name) and markup.mention(name).search(text) is not None


def too_long(excess: int, most: int) -> str:
    """By how much, and what would do."""
    return f"{excess:,} {'byte' if excess == 1 else 'bytes'} too long, the server takes {most:,}"


def check_is_room(buffer: Buffer) -> None:
    if buffer.kind is not Kind.ROOM:
        raise WrongInput("this is not a room, so it has no topic")


def _check_joined(buffer: Buffer) -> None:
    if not (buffer.joined or buffer.joining):
        raise WrongInput(f"you are not in {buffer.title}; /join {buffer.title}")


def check_as_input(check: Callable[[str], str], name: str) -> None:
    try:
        check(name)
    except Refused as refused:
        raise WrongInput(refused.text) from None
