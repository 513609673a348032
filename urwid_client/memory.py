"""What is kept over restarts: which servers one was on, under which name, and the `place` that one had there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from common import addresses
from common.names import fold
from urwid_client.errors import Failed
from urwid_client.place import is_place, merge, newest
from urwid_client.table_file import TableFile, Words, of_server

FILE = "memory.json"
_SERVERS_KEPT = 50
"""So many servers are remembered, those that were used last."""


class MemoryUnusable(Failed):
    """The file cannot be read or written, for the moment or for good."""


_WORDS = Words(
    MemoryUnusable,
    "as long as that is so, rooms, drafts and what you have read are not remembered",
    "rooms, drafts and what you have read are then forgotten",
)


class Known(NamedTuple):
    """A server that one was on."""

    server: str
    """Its address, `host:port`."""
    name: str
    """The name that one had there last."""
    answered: bool = True
    """Whether one was welcome there; else it was only written to."""


class Memory:
    """The memory of one data directory: a table of servers, each with its last name, and the places by folded name.

    A place that one has under several names stands under the first of them, and the others lead there.
    """

    def __init__(self, data_dir: Path) -> None:
        self._file = TableFile(data_dir / FILE, _is_table, _WORDS, durable=False)

    def servers(self) -> list[Known]:
        """The servers, the one that was used last at the beginning. Raises `MemoryUnusable`."""
        servers: dict[str, Known] = {}
        for server, known in reversed(self._file.read().items()):
            address = addresses.join(*addresses.split(server))
            servers.setdefault(addresses.canonical(address), Known(address, known["name"], _has_answered(known)))
        return [*servers.values()]

    def find(self, server: str, name: str) -> dict[str, Any]:
        """The place that one had, as `place.remember` gave it; empty if there was none. Raises `MemoryUnusable`."""
        return _place(self._file.read(), server, name)

    def keep(self, server: str, name: str, place: dict[str, Any], before: dict[str, Any], *, patient: bool = True) -> None:
        """Stores what has become of a place that was as `before`, and that this server was used last. Raises `MemoryUnusable`.

        Another client may have stored the same place meanwhile. Whoever has other names there has one place under all of them.
        Whether to be `patient` is for who waits for nothing else: while one that is writing now is waited for, no key is heard.
        """
        with self._file.changing(patient=patient) as servers:
            for known in servers.values():
                known["places"] = _apart(known["places"])
            place = merge(place, before, _place(servers, server, name))
            servers[server] = {"name": name, "places": {**servers.pop(server, {}).get("places", {}), fold(name): place}}
            for known in of_server(servers, server):
                places = known["places"]
                same = [other for other, kept in places.items() if place["identity"] and kept["identity"] == place["identity"]]
                places |= dict.fromkeys(same, place)
            for known in servers.values():
                known["places"] = _together(known["places"])
            for forgotten in [*servers][:-_SERVERS_KEPT]:
                del servers[forgotten]


def _place(servers: dict[str, Any], server: str, name: str) -> dict[str, Any]:
    found = (_apart(known["places"])[fold(name)] for known in of_server(servers, server) if fold(name) in known["places"])
    return next(found, {})


def _apart(places: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The places by all names."""
    return {name: places[kept] if isinstance(kept, str) else kept for name, kept in places.items()}


def _together(places: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Each place once, and no more of what was sent than is kept: as it is written."""
    first: dict[str, str] = {}
    written: dict[str, Any] = {}
    for name, place in places.items():
        other = first.setdefault(place["identity"], name)
        is_written = other != name and place["identity"] and places[other] == place
        written[name] = other if is_written else {**place, "sent": newest(place["sent"])}
    return written


def _has_answered(known: dict[str, Any]) -> bool:
    return any(place["identity"] for place in _apart(known["places"]).values())


def _is_table(servers: object) -> bool:
    return isinstance(servers, dict) and all(
        addresses.is_address(server)
        and isinstance(known, dict)
        and isinstance(known.get("name"), str)
        and isinstance(places := known.get("places"), dict)
        and all(isinstance(places.get(kept), dict) if isinstance(kept, str) else is_place(kept) for kept in places.values())
        for server, known in servers.items()
    )
