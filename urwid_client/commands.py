"""The commands: one table. The help, completion and the usage lines are made from it.

A new command is a function and its row in `COMMANDS`. What is behind a command is done by `state.Chat`; what a chat cannot do
(leave the program, change a setting) is a `Wish`, which `app` fulfils.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from common import messages as m
from common.errors import Refused
from common.invitations import Invitation, NoInvitation, understand
from common.names import as_room, check_name
from common.spelling import meant
from common.text import clean_line
from urwid_client import rendering
from urwid_client.buffers import Kind
from urwid_client.completion import Suggestion
from urwid_client.errors import WrongInput
from urwid_client.keys import Action
from urwid_client.markup import ACTION, AWAY
from urwid_client.sending import check_is_room
from urwid_client.state import Chat


class Quit(NamedTuple):
    """Leave the program."""


class Connect(NamedTuple):
    """Go on on another server."""

    server: Invitation


class Rename(NamedTuple):
    """Go on under another name."""

    name: str


class Set(NamedTuple):
    """Show the settings, or one of them, or change it."""

    key: str | None
    value: str | None


class Open(NamedTuple):
    """Open a link of the conversation on the screen: the one of this number, counted from the newest."""

    number: int


class ListServers(NamedTuple):
    """Show which servers one was on."""


Wish: TypeAlias = Quit | Connect | Rename | Set | Open | ListServers


class Command(NamedTuple):
    name: str
    arguments: str
    """How the usage line writes them: NAME must be given, [NAME] need not."""
    help: str
    run: Callable[[Chat, str, int], Wish | None]
    """Takes the chat, what follows the command's name, and the time. Raises `WrongInput`."""
    aliases: Sequence[str] = ()

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.arguments}".rstrip()


_CLEARING = ("-", "-delete")
"""What clears a topic; the longer one is what people know from IRC clients."""


def enter(chat: Chat, line: str, now: int) -> Wish | None:
    """What the user typed and sent: a command, or a text for the active buffer. Raises `WrongInput`."""
    text = said(line)
    if line and not text:
        return _run(chat, line, now)
    if text.strip():
        chat.say(text, now)
    return None


def said(line: str) -> str:
    """What a line would say in the conversation; empty if it is a command, which tells itself what is wrong with it."""
    return "" if line.startswith("/") and not line.startswith("//") else line.removeprefix("/")


def saying(text: str) -> str:
    """The line that says a text in the conversation."""
    return f"/{text}" if text.startswith("/") and not text.startswith(ACTION) else text


def _run(chat: Chat, line: str, now: int) -> Wish | None:
    name, _, argument = line[1:].partition(" ")
    command = _BY_NAME.get(name.lower())
    if command is None:
        raise WrongInput(f"there is no command {_shortened('/' + name)}{_meant(name)}; //… sends a text that begins with a slash")
    argument = argument.strip()
    needed = sum(not word.startswith("[") for word in command.arguments.split())
    if len(argument.split(maxsplit=1)) < min(needed, 2) or (argument and not command.arguments):
        raise WrongInput(f"usage: {command.usage}")
    if "NAME" in command.arguments:
        argument = argument.removeprefix("@")  # as people are named in a text
    return command.run(chat, argument, now)


def _meant(name: str) -> str:
    close = meant(name.lower(), [*_BY_NAME])
    return f" (did you mean /{close}?)" if close else " (/help lists them)"


def _shortened(text: str) -> str:
    text = clean_line(text)
    return text if len(text) <= 40 else text[:39] + "…"


def help_of(command: Command) -> str:
    """What a command does, and what else it is called."""
    return command.help + (f" (also {', '.join('/' + alias for alias in command.aliases)})" if command.aliases else "")


# --- what they do -----------------------------------------------------------------------------------------------------


def _help(chat: Chat, argument: str, now: int) -> None:
    if argument:
        command = _BY_NAME.get(argument.removeprefix("/").lower())
        if command is None:
            raise WrongInput(f"there is no command {_shortened(argument)}; /help lists them")
        chat.note(_explained(command), now)
        return
    lines = [_explained(command) for command in COMMANDS]
    key = chat.keymap.called(Action.HELP)
    shows = f" {key} shows the keys." if key else ""
    chat.note("\n".join([*lines, f"//text sends a text that begins with a slash.{shows}"]), now)


def _explained(command: Command) -> str:
    return f"{command.usage}: {help_of(command)}"


def _msg(chat: Chat, argument: str, now: int) -> None:
    name, text = argument.split(maxsplit=1)
    chat.say_to(name, text, now)


def _query(chat: Chat, argument: str, now: int) -> None:
    chat.open(chat.direct(argument))


def _join(chat: Chat, argument: str, now: int) -> None:
    chat.join(argument)
    if not chat.online:
        chat.note(f"you are not connected; {as_room(argument)} is joined as soon as you are", now)


def _part(chat: Chat, argument: str, now: int) -> None:
    chat.close(chat.room(argument) if argument else chat.active)


def _topic(chat: Chat, argument: str, now: int) -> None:
    if (named := chat.find_room(argument)) is not None:  # IRC's way to ask for it, and no topic
        chat.note(rendering.topic(named), now)
        return
    check_is_room(chat.active)
    if argument in _CLEARING and not chat.active.may_have_topic:
        chat.note(rendering.topic(chat.active), now)
    elif argument:
        chat.set_topic("" if argument in _CLEARING else argument, now)
    else:
        chat.note(rendering.topic(chat.active), now)


def _list(chat: Chat, argument: str, now: int) -> None:
    chat.list_people(m.LOBBY)


def _names(chat: Chat, argument: str, now: int) -> None:
    if chat.active.kind is not Kind.ROOM:
        raise WrongInput("this is not a room; /list shows everybody who is there")
    chat.list_people(chat.active.title)


def _rooms(chat: Chat, argument: str, now: int) -> None:
    chat.list_rooms()


def _clear(chat: Chat, argument: str, now: int) -> None:
    chat.active.clear(by_user=True)


def _me(chat: Chat, argument: str, now: int) -> None:
    chat.say(f"{ACTION}{argument}", now)


def _whois(chat: Chat, argument: str, now: int) -> None:
    chat.look_up(argument, now)


def _away(chat: Chat, argument: str, now: int) -> None:
    chat.be_away(clean_line(argument) or AWAY, now)


def _back(chat: Chat, argument: str, now: int) -> None:
    chat.be_away("", now)


def _ignore(chat: Chat, argument: str, now: int) -> None:
    if argument:
        chat.ignore(argument)
    names = ", ".join(sorted(chat.ignored.values(), key=str.lower))
    one = next(iter(chat.ignored.values())) if len(chat.ignored) == 1 else "NAME"
    chat.note(f"you ignore {names}; /unignore {one} ends it" if names else "you ignore nobody; /ignore NAME begins it", now)


def _unignore(chat: Chat, argument: str, now: int) -> None:
    chat.unignore(argument)
    unopened = "" if chat.find_directs(argument) else f"; /query {argument} shows what they wrote to you alone"
    chat.note(f"you do not ignore {argument} any more{unopened}", now)


def _nick(chat: Chat, argument: str, now: int) -> Wish:
    try:
        return Rename(check_name(argument))
    except Refused as refused:
        raise WrongInput(refused.text) from None


def _connect(chat: Chat, argument: str, now: int) -> Wish:
    if not argument:
        return ListServers()
    try:
        return Connect(understand(argument))
    except NoInvitation as problem:
        raise WrongInput(str(problem)) from None


def _set(chat: Chat, argument: str, now: int) -> Wish:
    key, _, value = argument.partition(" ")
    return Set(key or None, value.strip() or None)


def _open(chat: Chat, argument: str, now: int) -> Wish:
    if not re.fullmatch("[0-9]{0,4}", argument):
        raise WrongInput("usage: /open [NUMBER], counted from the newest link")
    return Open(int(argument or 1))


def _quit(chat: Chat, argument: str, now: int) -> Wish:
    return Quit()


COMMANDS: tuple[Command, ...] = (
    Command("msg", "NAME TEXT", "write to one person; nobody else sees it", _msg, ("w",)),
    Command("query", "NAME", "open the conversation with a person", _query),
    Command("me", "TEXT", "say what you do: /me waves", _me),
    Command("join", "#ROOM", "go into a room; it is made if it does not exist", _join),
    Command("part", "[#ROOM]", "leave this room, or put this conversation away", _part, ("leave",)),
    Command("topic", "[TOPIC]", "show what this room is about, or set it; /topic - clears it", _topic),
    Command("list", "", "show who is there", _list),
    Command("names", "", "show who is in this room", _names),
    Command("rooms", "", "show which rooms there are", _rooms),
    Command("whois", "NAME", "show what is known about a person", _whois),
    Command("away", "[TEXT]", "tell that you are away, and why", _away),
    Command("back", "", "tell that you are back", _back),
    Command("ignore", "[NAME]", "show no more of what a person says; alone, list whom you ignore", _ignore),
    Command("unignore", "NAME", "show what a person says again", _unignore),
    Command("nick", "NAME", "go by another name", _nick),
    Command("connect", "[SERVER]", "go to another server (address or invitation); alone, list those you were on", _connect),
    Command("set", "[SETTING] [VALUE]", "show or change settings", _set),
    Command("open", "[NUMBER]", "open the newest link here, or an earlier one by its number", _open),
    Command("clear", "", "empty this window; scrolling up brings everything back", _clear),
    Command("help", "[COMMAND]", "show the commands", _help),
    Command("quit", "[TEXT]", "leave; nobody is told the text", _quit, ("exit",)),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}

SUGGESTIONS: tuple[Suggestion, ...] = (
    *(Suggestion(f"/{command.name}", command.help) for command in COMMANDS),
    *(Suggestion(f"/{alias}", command.help) for command in COMMANDS for alias in command.aliases),
)
"""Every command with its slash, and then the other names that some have, for completion."""
ARGUMENTS: dict[str, str] = {f"/{name}": command.arguments for name, command in _BY_NAME.items()}
"""What follows each of them."""


def usage(line: str) -> str:
    """What the command that the line begins with takes and does; empty unless its name has been written."""
    name, space, _ = line.removeprefix("/").partition(" ")
    command = _BY_NAME.get(name.lower()) if line.startswith("/") and space else None
    return f"{command.usage}: {command.help}" if command else ""
