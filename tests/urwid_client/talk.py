"""A `Chat` that talks to the model server, without sockets and clocks."""

from __future__ import annotations

from common.client_events import Event, SendFailed, Welcomed
from common.client_protocol import ClientProtocol
from tests.support.model_server import ModelConnection, ModelServer
from urwid_client.buffers import Buffer, Note, Said, Traffic
from urwid_client.reconnecting import Route
from urwid_client.state import Chat

NOON = 1_767_265_200_000
"""The time of everything (milliseconds)."""


HERE = Route("here:1", "TLS 1.3", is_local=False)


class Talk:
    """One client of a model server."""

    def __init__(self, name: str = "ada", server: ModelServer | None = None, instance: int = 1) -> None:
        self.server = server or ModelServer()
        self.chat = Chat(ClientProtocol(name, instance=instance))
        self.line: ModelConnection | None = None
        self.given_back: list[str] = []
        """Messages that the client was told could not be sent."""

    def connect(self) -> None:
        self.line = self.server.connect()
        self.chat.protocol.connected()
        self.exchange()

    def disconnect(self) -> None:
        assert self.line is not None
        self.line.close()
        self.line = None
        self.chat.protocol.disconnected()
        self.chat.disconnected("here:1", "the cable was pulled", NOON)

    def exchange(self) -> list[Event]:
        """Lets both sides talk until neither has anything to say; what the client was told."""
        events: list[Event] = []
        assert self.line is not None
        while (data := self.chat.protocol.data_to_send()) or self.line.out:
            self.line.receive(data)
            answer, self.line.out = bytes(self.line.out), bytearray()
            for event in self.chat.protocol.receive(answer):
                if isinstance(event, Welcomed):
                    self.chat.protocol.token_kept()
                    self.chat.connected(HERE, NOON)
                if isinstance(event, SendFailed):
                    self.given_back.append(event.body)
                self.chat.handle(event, NOON)
                events.append(event)
        return events


def talk(name: str = "ada", server: ModelServer | None = None) -> Talk:
    """One that is connected."""
    new = Talk(name, server)
    new.connect()
    return new


def texts(buffer: Buffer) -> list[str]:
    """The messages that a buffer shows."""
    return [entry.text for entry in buffer.shown() if isinstance(entry, Said)]


def notes(buffer: Buffer) -> list[str]:
    """What the program said in a buffer."""
    return [entry.text for entry in buffer.shown() if isinstance(entry, Note)]


def traffic(buffer: Buffer) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Who came and left, as a buffer shows it."""
    return [(entry.came, entry.left) for entry in buffer.shown() if isinstance(entry, Traffic)]
