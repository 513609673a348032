"""Lists that the server gives in pages (who is there, which rooms there are): asked for page by page, told when complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from common import messages as m
from common.client_protocol import ClientProtocol
from common.text import clean_line
from urwid_client.buffers import Buffer

_LISTED = 1_000
"""The most names or rooms that a list shows."""


class Listing(NamedTuple):
    """A list that is under way."""

    buffer: Buffer
    """Where it is shown."""
    more: Callable[[str | None], int]
    """Asks for what follows an item; for the beginning without one."""
    show: Callable[[list[str], int], str]
    """The text for all items; the number of those that are not among them."""
    items: list[str]


class Listings:
    """The lists that were asked for and are not complete, by the ref of the last request."""

    def __init__(self, protocol: ClientProtocol) -> None:
        self._protocol = protocol
        self._open: dict[int, Listing] = {}

    @property
    def refs(self) -> list[int]:
        """The requests that are under way."""
        return list(self._open)

    def people(self, room: str, buffer: Buffer) -> None:
        """Asks who is in a room, to be shown in a buffer."""

        def show(names: list[str], hidden: int) -> str:
            return f"{_counted(len(names) + hidden, 'person', 'people')} in {room}: {_listed(names, hidden)}"

        self._ask(Listing(buffer, lambda after: self._protocol.members(room, after), show, []))

    def rooms(self, buffer: Buffer) -> None:
        """Asks which rooms there are."""

        def show(rooms: list[str], hidden: int) -> str:
            return f"{_counted(len(rooms) + hidden, 'room', 'rooms')}: {_listed(rooms, hidden)}"

        self._ask(Listing(buffer, self._protocol.list_rooms, show, []))

    def take(self, ref: int, items: list[str], last: list[str], options: m.Options) -> tuple[Buffer, str] | None:
        """One page. Asks for what follows its `last` item; or gives the text of the whole, and the buffer for it."""
        listing = self._open.pop(ref, None)
        if listing is None:
            return None
        listing.items.extend(map(clean_line, items))
        if options.get("more") and last and len(listing.items) < _LISTED:
            self._open[listing.more(last[0])] = listing
            return None
        return listing.buffer, listing.show(listing.items, max(options.get("count", 0) - len(listing.items), 0))

    def fail(self, ref: int | None) -> Buffer | None:
        """A request was refused: the buffer of its list, if it was one for a list."""
        listing = None if ref is None else self._open.pop(ref, None)
        return listing.buffer if listing else None

    def lose(self) -> list[Buffer]:
        """The connection is gone: the buffers of the lists that are not answered any more."""
        buffers = [listing.buffer for listing in self._open.values()]
        self._open.clear()
        return buffers

    def _ask(self, listing: Listing) -> None:
        self._open[listing.more(None)] = listing


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _listed(items: Iterable[str], hidden: int) -> str:
    return ", ".join(items) + (f" and {hidden:,} more" if hidden else "")
