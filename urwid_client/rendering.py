"""How things look as text: entries, lists and lines as words with styles. Everything from the network is cleaned here once more.

Which colours a style has is `palette`'s business; how text is broken into rows and put on the screen is that of `widgets`.
"""

from __future__ import annotations

import datetime
import itertools
import re
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from common.names import fold
from common.text import clean, clean_line
from urwid_client import emoji, finding, markup
from urwid_client.buffers import Buffer, Delivery, Entry, Kind, Note, Said, Traffic
from urwid_client.completion import Suggestion
from urwid_client.keys import Action, KeyMap
from urwid_client.markup import Piece
from urwid_client.reconnecting import LATE, Route, Stage, Status
from urwid_client.scrolling import Key
from urwid_client.welcome import Question, Welcome


class Link(NamedTuple):
    """The style of a link: it says where the text leads."""

    target: str


Span: TypeAlias = tuple[str | Link, str]
"""A style and a text."""
Spans: TypeAlias = list[Span]

NAME_COLOURS = 12
"""How many styles there are to tell names apart by: `name0` and so on where somebody speaks, `person0` and so on in lists."""
_GROUPED_FOR = 5 * 60 * 1000
"""Messages of one person within so many milliseconds stand under one name."""
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
_TAB = "    "


class Block(NamedTuple):
    """One entry of a buffer: rules above it; then a time, a label (a name), and the body beside them."""

    rules: Spans
    time: str
    label: Span
    body: Spans


class Sought(NamedTuple):
    """What is searched for, in a message in which it stands."""

    query: str
    gone_to: bool
    """It is the one that the search has come to."""


class Context(NamedTuple):
    """What the look of an entry depends on beside itself."""

    new_day: bool
    first_unread: bool
    same_minute: bool
    continues: bool
    """It is the same person's as the one before, a moment later."""


Zone: TypeAlias = Callable[[int], datetime.datetime]
"""The local time of milliseconds since 1970."""


def local(time_ms: int) -> datetime.datetime:
    """The time in the zone of this machine; for times that no calendar has, the beginning of 1970."""
    try:
        return datetime.datetime.fromtimestamp(time_ms / 1000)
    except (OverflowError, ValueError, OSError):
        return datetime.datetime.fromtimestamp(0)


def name_style(name: str, kind: str = "name") -> str:
    """The style of a name: always the same one, however it is written, on every screen."""
    return f"{kind}{zlib.crc32(fold(name).encode()) % NAME_COLOURS}"


# --- entries ----------------------------------------------------------------------------------------------------------


def context(entry: Entry, before: Entry | None, unread_from: Key | None, zone: Zone = local) -> Context:
    """What `before`, the entry above, and the place where the unread ones begin mean for the look of `entry`."""
    first_unread = unread_from is not None and entry.key > unread_from and (before is None or before.key <= unread_from)
    if before is None:
        return Context(True, first_unread, False, False)
    now, then = zone(entry.time_ms), zone(before.time_ms)
    new_day = now.date() != then.date()
    if new_day or first_unread:
        return Context(new_day, first_unread, False, False)
    continues = (
        isinstance(entry, Said)
        and isinstance(before, Said)
        and entry.sender == before.sender
        and entry.own == before.own
        and not (_names_itself(entry) or _names_itself(before))
        and 0 <= entry.time_ms - before.time_ms < _GROUPED_FOR
    )
    return Context(new_day, first_unread, (now.hour, now.minute) == (then.hour, then.minute), continues)


def block(entry: Entry, seen_in: Context, zone: Zone = local, full_emoji: bool = False, sought: Sought | None = None) -> Block:
    """The look of an entry; with `full_emoji` for terminals that draw all parts of an emoji as one sign."""
    at = zone(entry.time_ms)
    rules: Spans = []
    if seen_in.new_day:
        rules.append(("rule", f"── {at:%A, %-d %B %Y} ──"))
    if seen_in.first_unread:
        rules.append(("unread rule", "── new ──"))
    time = "" if seen_in.same_minute or seen_in.continues else f"{at:%H:%M}"
    match entry:
        case Said():
            name = clean_line(entry.sender)
            label: Span = ("", "") if seen_in.continues else (name_style(name), name)
            if _names_itself(entry):
                label = ("note", "·") if entry.topic else (name_style(name), "*")
            body = _said(entry, full_emoji)
            return Block(rules, time, label, _marked(body, sought) if sought else body)
        case Note():
            return Block(rules, time, ("note", "·"), [("important" if entry.important else "note", _body(entry.text))])
        case Traffic():
            return Block(rules, time, ("traffic", "·"), [("traffic", _traffic(entry))])


def empty(buffer: Buffer, keymap: KeyMap) -> Block:
    """What stands in a conversation where nothing was written yet: what one can do there."""
    room = clean_line(buffer.title)
    if buffer.kind is Kind.ROOM and not buffer.joined:
        ways = f"/join {room} goes in"
    else:
        ways = keymap.told((Action.SEND, "sends"), (Action.HELP, "helps"))
    said = "nothing to read here yet"
    return Block([], "", ("faint", "·"), [("faint", f"{said}; {ways}" if ways else said)])


def is_action(said: Said) -> bool:
    """Whether it tells what its sender does."""
    return not said.topic and said.text.startswith(markup.ACTION)


def _names_itself(said: Said) -> bool:
    """Whether the sender's name is a part of what is shown of it."""
    return said.topic or is_action(said)


def _said(said: Said, full_emoji: bool) -> Spans:
    text = _body(said.text) if not full_emoji else _cleaned(said.text)
    name = clean_line(said.sender)
    did: Spans = [(name_style(name), f"{name} ")] if _names_itself(said) else []
    if said.topic:
        did.append(("note", markup.topic_change(text, done=said.delivery is Delivery.COMMITTED)))
    elif is_action(said):
        text = text.removeprefix(markup.ACTION)
    match said.delivery:
        case Delivery.PENDING:
            return [*did, ("pending", f"{text} …")]
        case Delivery.FAILED:
            return [*did, ("pending", text), ("failed", f" ✗ not sent: {clean_line(said.problem)}")]
        case Delivery.COMMITTED:
            return [*did, *(span for piece in markup.pieces(text) for span in _styled(piece, said.mentioned))]


def searched(said: Said) -> str:
    """The text of a message in which words are found: as it is shown."""
    change = markup.topic_change(said.text, done=said.delivery is Delivery.COMMITTED) if said.topic else ""
    return f"{change}{said.text}"


def _marked(spans: Spans, sought: Sought) -> Spans:
    """With what is searched for marked; all of it, where that does not stand in one of the spans."""
    mark = "hit" if sought.gone_to else "found"
    parts = [(style, finding.parted(text, sought.query)) for style, text in spans]
    if all(len(parted) == 1 for _, parted in parts):
        return [(mark, text) for _, text in spans]
    return [(mark if index % 2 else style, part) for style, parted in parts for index, part in enumerate(parted) if part]


def _styled(piece: Piece, mentioned: str) -> Spans:
    """A part of a message, with each mention of one's name in a style of its own."""
    if piece.link:
        return [(Link(piece.link), piece.text)]
    if not mentioned:
        return [(piece.style, piece.text)]
    parts = markup.mention(mentioned).split(piece.text)
    return [("mention" if index % 2 else piece.style, part) for index, part in enumerate(parts)]


def links(buffer: Buffer, number: int) -> str:
    """The link of this number in a conversation, counted from the newest one; empty if there is none."""
    texts = (entry.text for entry in reversed(buffer.entries) if isinstance(entry, Said))
    found = (link for text in (*texts, buffer.topic.text) for link in reversed(markup.links(_body(text))))
    return next(itertools.islice(found, number - 1, None), "") if number else ""


def _line(text: str) -> str:
    return emoji.plain(clean_line(text))


def _body(text: str) -> str:
    """Cleaned, without tabs, with at most one empty line at a time, and with emoji in the form that all terminals agree about."""
    return emoji.plain(_cleaned(text))


def _cleaned(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", clean(text).replace("\t", _TAB))


def _traffic(traffic: Traffic) -> str:
    moves = ((traffic.came, "came"), (traffic.left, "left"))
    came, left = ([f"{', '.join(map(clean_line, names))} {verb}"] if names else [] for names, verb in moves)
    renamed = [f"{clean_line(before)} is now {clean_line(name)}" for before, name in traffic.renamed]
    return " · ".join([*came, *renamed, *left])


# --- lists and lines --------------------------------------------------------------------------------------------------


def title(buffer: Buffer) -> str:
    """What a buffer is called."""
    name = clean_line(buffer.title)
    if buffer.former:
        return f"{name} (former)"
    return name if buffer.joined or buffer.joining else f"({name})"


def heading(
    buffer: Buffer,
    absent: bool | None = None,
    away: bool | None = None,
    route: Route | None = None,
    ignored: bool = False,
) -> Spans:
    """The first line of the screen; `absent`, `away` and `ignored` tell of the other person of a direct conversation.

    `route` is that of the connection, if there is one.
    """
    spans: Spans = [("title", title(buffer))]
    match buffer.kind:
        case Kind.ROOM if buffer.joined and not buffer.head_count:
            pass  # not told yet
        case Kind.ROOM if buffer.joined:
            spans.append(("faint", f"  {buffer.head_count:,} {'person' if buffer.head_count == 1 else 'people'}"))
            spans += _topic(buffer.topic.text)
        case Kind.ROOM:
            spans.append(("faint", "  joining …" if buffer.joining else "  you are not in this room"))
        case Kind.DIRECT:
            where = "not here now" if absent else "away" if away else ""
            told = filter(None, [where, "you ignore them" if ignored else "", "between the two of you"])
            spans.append(("faint", f"  {', '.join(told)}"))
        case Kind.SERVER:
            connected = route and f"{route.encryption}, connected to {clean_line(route.server)}"
            spans.append(("faint", f"  {connected or 'what the program has to say'}"))
    return spans


def _topic(topic: str) -> Spans:
    """What a room is about, behind its name: as much of it as there is room for."""
    return [("faint", " — "), *(span for piece in markup.pieces(_line(topic)) for span in _styled(piece, ""))] if topic else []


def topic(buffer: Buffer, zone: Zone = local) -> str:
    """The whole topic of a room, and where it comes from."""
    text, by, time_ms, _ = buffer.topic
    room = title(buffer)
    if not text:
        return f"{room} has no topic; /topic TEXT sets one"
    return f"the topic of {room}, set by {clean_line(by)} on {zone(time_ms):%-d %B %Y at %H:%M}: {_line(text)}"


class Line(NamedTuple):
    """One line of the list of conversations."""

    number: str
    name: Span
    unread: Span


def conversation_line(buffer: Buffer, active: bool) -> Line:
    """A conversation, the key that leads to it (the digit of Alt+digit), whether a draft waits, and what is unread."""
    digit = str(buffer.number % 10) if buffer.number <= 10 else ""
    number = digit if active or buffer.draft.empty else f"{digit:1}*"
    style = "active" if active else "waiting" if buffer.unread else "quiet"
    return Line(number, (style, title(buffer)), _unread(buffer))


def _unread(buffer: Buffer) -> Span:
    """How much is unread in a conversation, in little room."""
    count = "999+" if buffer.unread > 999 else f"{buffer.unread}" if buffer.unread else ""
    return "mentions" if buffer.mentions else "unread", count


def people(buffer: Buffer) -> Spans:
    """Who is in a room, a name a line, with a style of its own for who is away; the last line tells how many are not named."""
    people = sorted(buffer.people.items())
    hidden = buffer.head_count - len(people)
    lines: Spans = [
        ("away" if folded in buffer.away else name_style(name, "person"), clean_line(name)) for folded, name in people
    ]
    return [*lines, ("faint", f"+{hidden:,} more")] if hidden > 0 else lines


def unread_elsewhere(buffers: Sequence[Buffer], active: Buffer) -> Spans:
    """What waits in other conversations, for a screen without room for the list."""
    spans: Spans = []
    for buffer in buffers:
        if buffer is not active and buffer.unread:
            style, count = _unread(buffer)
            spans.append((style, f"  {title(buffer)} {count}"))
    return spans


def status(
    name: str,
    server: str,
    connection: Status,
    lag: float | None,
    now: float,
    away: bool = False,
    route: Route | None = None,
    names_server: bool = False,
) -> Spans:
    """How the connection stands. `lag` in seconds; `now` by the clock of `connection.retry_at`; `away`: the user said so.

    `names_server`: also while all is well.
    """
    match connection.stage:
        case Stage.ONLINE:
            spans: Spans = [("good", "● "), (name_style(name), clean_line(name))]
            if names_server:
                spans.append(("faint", f" on {clean_line(server)}"))
            if route is not None and route.is_open:
                spans.append(("important", "  not encrypted"))
            spans += _lag(lag)
            return [*spans, ("away", "  away")] if away else spans
        case Stage.ASKING:
            return [("bad", "○ not connected"), ("text", f": {connection.advice}")]
        case Stage.CONNECTING | Stage.GREETING:
            return [("bad", "○ "), ("text", f"connecting to {clean_line(server)} …")]
        case Stage.WAITING:
            seconds = max(round(connection.retry_at - now), 1)
            return [
                ("bad", "○ not connected"),
                ("faint", f", trying again in {seconds} s"),
                ("text", f": {clean_line(connection.problem)}"),
            ]


def typing(names: Sequence[str]) -> Spans:
    """Who is typing, in few words."""
    shown = [*map(clean_line, names)]
    match shown:
        case []:
            return []
        case [one]:
            said = f"{one} is typing"
        case [one, other]:
            said = f"{one} and {other} are typing"
        case _:
            said = "several people are typing"
    return [("faint", f"  {said}")]


def _lag(lag: float | None) -> Spans:
    if lag is None:
        return []
    return [("faint", f"  {lag * 1000:.0f} ms")] if lag < LATE else [("important", f"  answers take {lag:.0f} s")]


def below(at_end: bool, newer: int) -> Span:
    """What lies below the messages in view; `newer` of them came since the end was in view."""
    if at_end:
        return ("", "")
    return ("unread", f"↓ {newer:,} new") if newer else ("faint", "↓ more")


def asking(asked: Welcome) -> Spans:
    """In the place of how the connection stands: why there is none yet."""
    why = {Question.NAME: "pick a name", Question.SERVER: "pick a server", Question.KEY: "not connected: is this the server?"}
    return [("bad", "○ "), ("text", why[asked.question])]


def welcome(asked: Welcome, keymap: KeyMap) -> list[Spans]:
    """What stands above the questions; each item is a paragraph."""
    server = clean_line(asked.server)
    lines: list[Spans] = [[("title", "Welcome to chat-client")], []]
    match asked.question:
        case Question.NAME:
            lines += [[("text", "What name do you want to go by?")], []]
            if not asked.asks_server:
                lines.append([("faint", f"on {server}")] if server else [])
        case Question.SERVER:
            which = "Which server, then?" if asked.refused else "Which server? Enter takes the one below, on this machine."
            lines += [[("text", which)], []]
        case Question.KEY:
            lines = [[("title", f"{server} is not known here yet")], []]
            lines += [[("text", "The fingerprint of its key is")], [], [("prompt", asked.fingerprint)], []]
            otherwise = f"goes back to {asked.came_from}" if asked.came_from else "asks for another server"
            lines += [[("text", "Does its operator say the same? Write yes, or what you were told.")]]
            lines += [[("text", f"No {otherwise}.")], []]
    back = [(Action.CLOSE, f"goes back to {asked.came_from}")] if asked.came_from else []
    clear = [(Action.KILL_TO_START, "clears the line")] if asked.proposed else []
    now = keymap.told((Action.SEND, "goes on"), *clear, *back, (Action.INTERRUPT, "leaves"))
    lines.append([("faint", f"{now}. Later /quit leaves, and {keymap.called(Action.HELP) or '/help'} helps.")])
    return [*lines, [], [("important", clean_line(asked.problem))]] if asked.problem else lines


# --- beside the input -------------------------------------------------------------------------------------------------


def suggestions(shown: Sequence[Suggestion], chosen: int | None, most: int) -> list[Spans]:
    """What could be written, a line each, the part around the chosen one; `most` lines at most."""
    first = min(max((chosen or 0) - most // 2, 0), max(len(shown) - most, 0))
    in_view = shown[first : first + most]
    width = max((len(clean_line(word)) for word, _ in in_view), default=0)
    lines: list[Spans] = []
    for index, (word, help) in enumerate(in_view, first):
        style, word = "active" if index == chosen else "prompt", clean_line(word)
        explained = f"{' ' * (width - len(word))}  {help}" if help else ""
        lines.append([("text", "  "), (style, word), ("faint", explained)])
    if (hidden := len(shown) - len(lines)) > 0:
        lines[-1].append(("faint", f"  (+{hidden} more)"))
    return lines


def pasted(text: str, keymap: KeyMap) -> list[Spans]:
    """The question what is to become of several lines."""
    lines = clean(text).split("\n")
    first = clean_line(next((line for line in lines if line.strip()), ""))
    answers = keymap.told((Action.SEND, "puts them in"), (Action.CLOSE, "drops them"))
    return [
        [("important", f"  {len(lines):,} lines were pasted"), ("faint", f": {first} …")],
        [("text", f"  {answers}")],
    ]
