"""Filing: into which conversation a message belongs. Direct ones are told by the server's ids, because names change hands."""

from __future__ import annotations

from common import messages as m
from common.client_protocol import ClientProtocol
from common.names import fold
from common.text import clean_line
from urwid_client.buffers import Buffer, Kind
from urwid_client.conversations import Conversations


class Filing(Conversations):
    """The conversations, and who is at the other end of them."""

    def __init__(self, protocol: ClientProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.pending_in: dict[int, Buffer] = {}
        """In which buffer a message waits, by ref."""
        self.ignored: dict[str, str] = {}
        """Whose messages are not shown: the names, by their folded form."""
        self.ignored_as: dict[str, str] = {}
        """Who these are, by their folded names, as far as it is known."""

    def is_ignored(self, name: str, identity: str | None) -> bool:
        """By who they are, where that is known: whatever name they go by, or went by, and whoever else has theirs now."""
        if identity is not None and identity in self.ignored_as.values():
            return True
        known = self.ignored_as.get(fold(name))
        return fold(name) in self.ignored and (known is None or identity is None)

    def is_own(self, message: m.Msg) -> bool:
        return message.options.get("from") == self.protocol.identity

    def buffer_of(self, message: m.Msg) -> Buffer | None:
        """Where a live message belongs; None if its room was left. A new direct conversation gets a buffer."""
        conv = message.options.get("conv", message.to)
        buffer = self.find_conv(conv)
        if m.is_room(message.to):
            return buffer
        if buffer is None:
            peer = clean_line(message.to if self.is_own(message) else message.sender)
            waiting = next((other for other in self.find_directs(peer) if other.conv is None), None)
            buffer = self.bind(waiting or self.add(Buffer(Kind.DIRECT, peer)), conv)
        self.meet(buffer, message)
        return buffer

    def bind(self, buffer: Buffer, conv: str) -> Buffer:
        """The conversation that a buffer shows is known now: maybe it is one that has a buffer already."""
        same = self.find_conv(conv)
        if same is None:
            buffer.conv = conv
            buffer.older_exist = True  # also where nobody had this name when they were asked for
            return buffer
        same.former = False
        same.pending |= buffer.pending
        for ref in buffer.pending:
            self.pending_in[ref] = same
        same.draft = same.draft if buffer.draft.empty else buffer.draft
        was_active = self.active is buffer
        self.remove(buffer)
        if was_active:
            self.open(same)
        return same

    def go_on_with_whom_has_the_name(self, before: Buffer, conv: str) -> Buffer:
        """The name of the other person has changed hands: what was sent to it went to somebody else than before."""
        buffer = self.find_conv(conv) or self.add(Buffer(Kind.DIRECT, before.title, conv))
        buffer.former = False
        if self.active is before:
            self.open(buffer)
        return buffer

    def meet(self, buffer: Buffer, message: m.Msg) -> None:
        """Whom one talks to in a direct conversation is told by what they send."""
        if buffer.kind is Kind.DIRECT and not self.is_own(message):
            buffer.peer = message.options.get("from")

    def learn_name(self, message: m.Msg) -> list[Buffer]:
        """Whoever said this, or was told it by oneself, goes by this name now, and whoever had it before does not.

        The conversations with those who are former ones by that.
        """
        own, conv = self.is_own(message), None if m.is_room(message.to) else message.options.get("conv")
        if own and conv is None:
            return []
        name, identity = (message.to, None) if own else (message.sender, message.options.get("from"))
        is_used = not own or fold(name) in self.lobby.people  # else it may be one that is only kept for them
        for buffer in self.buffers if is_used else ():
            if buffer.kind is Kind.DIRECT and ((identity and buffer.peer == identity) or (conv and buffer.conv == conv)):
                buffer.title, buffer.former = clean_line(name), False
        return self.learn_who_is(name, identity, conv)

    def learn_who_is(self, name: str, identity: str | None, conv: str | None = None) -> list[Buffer]:
        """Somebody has the name now, of whom the identity is known, or the conversation: see `learn_name`."""
        former = []
        for buffer in self.find_directs(name):
            is_other = (identity and buffer.peer not in (None, identity)) or (conv and buffer.conv not in (None, conv))
            if is_other and not buffer.former:
                buffer.former = True
                former.append(buffer)
        return former

    def begin_directs_anew(self) -> None:
        """As somebody else one has other conversations: what was said before can still be read, and not be gone on with."""
        for buffer in self.buffers:
            if buffer.kind is Kind.DIRECT:
                buffer.conv = buffer.peer = None
                buffer.older_exist = False
