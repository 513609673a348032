"""What `chat-broker status` tells: gathered from the children's answers, as one object, or as text for people.

Decides only; the socket that it travels over is `broker.status_socket`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from broker.roles import ACCEPTOR, BROKER, Key

Figures = Mapping[str, Any]


class Inquiry:
    """One round of asking: who has not answered yet, and what the others said."""

    def __init__(self, asked: Mapping[Key, int], deadline: float) -> None:
        """`asked` has the pid of each child."""
        self.deadline = deadline
        self.pids = dict(asked)
        self.answers: dict[Key, Figures] = {}

    def answer(self, key: Key, figures: Figures) -> None:
        if key in self.pids:
            self.answers[key] = figures

    @property
    def silent(self) -> list[Key]:
        return [key for key in self.pids if key not in self.answers]


def summary(inquiry: Inquiry) -> dict[str, Any]:
    """One object of everything that was answered; what nobody told is None.

    A worker is `behind` by so many messages that it could not be told of, and `lagging` is the number of its clients that do
    not read as fast as they are written to, the slowest by `slowest_behind` messages. `trouble` is why messages are refused.
    """
    of_broker = dict(inquiry.answers.get(BROKER, {}))
    seen_by_broker = {figures["number"]: figures for figures in of_broker.pop("workers", ())}
    numbers = sorted(key.number for key in inquiry.pids if key.role == "worker")
    per_worker = [
        {"number": number, "pid": inquiry.pids[Key("worker", number)]}
        | dict(seen_by_broker.get(number, {}))
        | dict(inquiry.answers.get(Key("worker", number), {}))
        for number in numbers
    ]
    connections = [figures["connections"] for figures in per_worker if "connections" in figures]
    return {
        "acceptor": inquiry.pids.get(ACCEPTOR),
        "broker": inquiry.pids.get(BROKER),
        "workers": [inquiry.pids[Key("worker", number)] for number in numbers],
        "connections": sum(connections) if connections else None,
        "users": None,
        "rooms": None,
        "messages": None,
        "trouble": None,
        **of_broker,
        **inquiry.answers.get(ACCEPTOR, {}),
        "per_worker": per_worker,
        "silent": [str(key) for key in inquiry.silent],
    }


def is_well(status: Figures) -> bool:
    """Messages are taken, and everybody has answered."""
    return not status["trouble"] and not status["silent"]


def as_text(status: Figures) -> str:
    """The summary on a few lines."""
    head = f"chat-broker {status['version']} on {status['address']}, up {_duration(status['uptime'])}"
    facts = [*for_guests(status).items(), ("data", status["data_dir"])]
    facts += [(name, _count(status[name])) for name in ("connections", "users", "rooms", "messages")]
    pids = [(name, f"pid {status[name]}" if status[name] else "down") for name in ("supervisor", "acceptor", "broker")]
    pids += [(f"worker {one['number']}", _worker(one)) for one in status["per_worker"]]
    silent = [("no answer", ", ".join(status["silent"]))] if status["silent"] else []
    trouble = f"messages are refused: {status['trouble']}" if status["trouble"] else ""
    blocks = [trouble, _aligned(facts), _aligned(pids), _aligned(silent)]
    return "\n\n".join([head, *filter(None, blocks)])


def for_guests(told: Figures) -> dict[str, str]:
    """What users are told who want to come from other machines, by its name: nothing where there is no encryption.

    The invitation is a command to be pasted: a shell would take the `?` in a bare one for a pattern.
    """
    if "invitation" not in told:
        return {}
    return {"fingerprint": told["fingerprint"], "invitation": f"chat-client {shlex.quote(told['invitation'])}"}


def _aligned(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<11}  {value}" for name, value in rows)


def _worker(figures: Figures) -> str:
    told = [f"pid {figures['pid']}"]
    if "connections" in figures:
        told.append(f"{_count(figures['connections'])} connection{'' if figures['connections'] == 1 else 's'}")
    if figures.get("lagging"):
        told.append(f"{_count(figures['lagging'])} of them behind (by up to {_count(figures.get('slowest_behind'))} messages)")
    if figures.get("behind"):
        told.append(f"{_count(figures['behind'])} messages behind")
    return ", ".join(told)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _duration(seconds: float) -> str:
    """The two largest units that are not nothing: `3 d 4 h`, `12 min 5 s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (parts and len(parts) < 2) or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
