"""Writes what the documents say about the client from its own tables: options, commands, keys, settings.

The tables of docs/client.md, the man page and the completions for shells.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import __version__
from common.settings import Location, Setting
from urwid_client import keys
from urwid_client.commands import COMMANDS, help_of
from urwid_client.settings import PREFERENCES, SCREEN, SEND, TAIL

DOCS = Path(__file__).parent
FORMS = {"": SCREEN, "send": SEND, "tail": TAIL}


# --- docs/client.md ---------------------------------------------------------------------------------------------------


def tables(text: str) -> str:
    """The page with each table between its marks written anew."""
    made = {
        "commands": _table("command", [(f"`{command.usage}`", help_of(command)) for command in COMMANDS]),
        "settings": _table("setting", [(f"`{setting.key}`", _setting(setting)) for setting in PREFERENCES]),
    }
    for section, bindings in keys.SECTIONS.items():
        rows = [(keys.shown(binding), binding.help, f"`keys.{binding.action.value}`") for binding in bindings]
        made[f"keys {section.lower()}"] = _table("key", rows, ("", "setting"))
    for name, table in made.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = before + begin + table + end + rest.partition(end)[2]
    return text


def _table(first: str, rows: Sequence[tuple[str, ...]], others: tuple[str, ...] = ("",)) -> str:
    head = (first, *others)
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n".replace("|  |", "| |") for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _setting(setting: Setting) -> str:
    return f"{setting.help}: {setting.kind.wants.removeprefix('one of ')}; usually {setting.usually}"


# --- the man page -----------------------------------------------------------------------------------------------------


def man() -> str:
    lines = [
        f'.TH CHAT\\-CLIENT 1 "" "chat\\-broker {__version__}"',
        ".SH NAME",
        "chat\\-client \\- talk on a chat\\-broker server, in a terminal or in scripts",
        ".SH SYNOPSIS",
        *_synopsis(),
        ".SH DESCRIPTION",
        _roff(
            "Without a form it is a screen: conversations at the left, messages in the middle, people at the right. "
            "The first start asks for a name and a server; later ones begin where the last one ended. send sends a text, or "
            "each line of the standard input, and ends with 0 only when all of it is in the server's log. tail prints "
            "messages, one a line. A URL is an invitation like chat://HOST:PORT/ROOM?fp=SHA256:...; it stands for --host, "
            "--port, --room (for send: --to) and --fingerprint."
        ),
        ".SH OPTIONS",
        *_options(SCREEN),
        ".SS send",
        *_options([setting for setting in SEND if setting not in SCREEN]),
        ".SS tail",
        *_options([setting for setting in TAIL if setting not in SCREEN]),
        ".SH COMMANDS",
        _roff("They are typed into the line of input. //text sends a text that begins with a slash."),
        *(line for command in COMMANDS for line in (".TP", f".B {_roff(command.usage)}", _roff(help_of(command)))),
        ".SH KEYS",
        *_keys(),
        ".SH SETTINGS",
        _roff("/set shows and changes these, and keeps them in the file of settings; a key is bound anew by keys.ACTION."),
        *(line for setting in PREFERENCES for line in (".TP", f".B {_roff(setting.key)}", _roff(_setting(setting)))),
        ".SH FILES",
        *_files(),
        ".SH ENVIRONMENT",
        _roff("CHAT_CLIENT_HOST and so on give the options that are not on the command line. NO_COLOR asks for no colours."),
        ".SH EXIT STATUS",
        _roff("0 done, 1 failed, 2 wrong usage."),
    ]
    return "\n".join(lines) + "\n"


def _synopsis() -> list[str]:
    return [
        ".B chat\\-client",
        "[\\fIURL\\fR] [\\fIOPTION\\fR ...]",
        ".br",
        ".B chat\\-client send",
        "[\\fIURL\\fR] \\-\\-to \\fI#ROOM\\fR|\\fINAME\\fR [\\fIOPTION\\fR ...] [\\fITEXT\\fR ...]",
        ".br",
        ".B chat\\-client tail",
        "[\\fIURL\\fR] [\\fIOPTION\\fR ...]",
    ]


def _options(settings: Sequence[Setting]) -> list[str]:
    lines = []
    for setting in settings:
        if setting.section:
            continue
        told = setting.help + (f" (default: {setting.usually})" if setting.usually else "")
        lines += [".TP", f".B {_roff(setting.option)} \\fI{_roff(setting.kind.metavar)}\\fR", _roff(told)]
    return lines


def _keys() -> list[str]:
    lines = []
    for section, bindings in keys.SECTIONS.items():
        lines.append(f".SS {section}")
        for binding in bindings:
            lines += [".TP", f".B {_roff(keys.shown(binding))}", _roff(f"{binding.help} (keys.{binding.action.value})")]
    return lines


def _files() -> list[str]:
    told = {
        "~/.config/chat-client/settings.toml": "the settings; with --data-dir they stand in that directory",
        "~/.local/share/chat-client/tokens.json": "who you are on which server: keep it to yourself",
        "~/.local/share/chat-client/servers.json": "the servers that were spoken to in TLS, and what they are known by",
        "~/.local/share/chat-client/memory.json": "rooms, drafts, what you have read, whom you ignore",
    }
    return [line for path, what in told.items() for line in (".TP", f".I {_roff(path)}", _roff(what))]


def _roff(text: str) -> str:
    """Escaped, and not to be taken for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


# --- completions ------------------------------------------------------------------------------------------------------


def _shown(settings: Sequence[Setting]) -> list[Setting]:
    return [setting for setting in settings if not setting.section]


def _names_a_file(setting: Setting) -> bool:
    return isinstance(setting.kind, Location)


def bash() -> str:
    options = {form: " ".join(setting.option for setting in _shown(settings)) for form, settings in FORMS.items()}
    every = {setting.option: setting for settings in FORMS.values() for setting in _shown(settings)}
    values = "".join(
        f'        {option}) COMPREPLY=($(compgen -W "{" ".join(setting.kind.words)}" -- "$word")); return ;;\n'
        for option, setting in every.items()
        if setting.kind.words
    )
    files = "|".join(option for option, setting in every.items() if _names_a_file(setting))
    taking = "|".join(option for option, setting in every.items() if setting.kind.metavar and not setting.kind.words)
    taking = "|".join(option for option in taking.split("|") if option not in files.split("|"))
    return f"""\
# Completion of chat-client for bash; written by docs/make_reference.py.
_chat_client() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} form=${{COMP_WORDS[1]}} options="{options[""]}"
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
{values}        {files}) COMPREPLY=($(compgen -f -- "$word")); return ;;
        {taking}) return ;;
    esac
    case $form in
        send) options="{options["send"]}" ;;
        tail) options="{options["tail"]}" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && options="send tail $options"
    COMPREPLY=($(compgen -W "$options" -- "$word"))
}}
complete -F _chat_client chat-client
"""


def zsh() -> str:
    def arguments(settings: Sequence[Setting]) -> str:
        return " \\\n".join(f"        {_zsh_option(setting)}" for setting in _shown(settings))

    return f"""\
#compdef chat-client
# Completion of chat-client for zsh; written by docs/make_reference.py.
case ${{words[2]}} in
    send)
        _arguments '1:form:(send)' '*:text:' \\
{arguments(SEND)}
        ;;
    tail)
        _arguments '1:form:(tail)' \\
{arguments(TAIL)}
        ;;
    *)
        _arguments '1:form:(send tail)' \\
{arguments(SCREEN)}
        ;;
esac
"""


def _zsh_option(setting: Setting) -> str:
    told = setting.help.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")
    takes = ""
    if setting.kind.metavar:
        values = f"({' '.join(setting.kind.words)})" if setting.kind.words else "_files" if _names_a_file(setting) else " "
        takes = f":{setting.kind.metavar.split('|')[0]}:{values}"
    return f"'{setting.option}[{told}]{takes}'"


def fish() -> str:
    lines = ["# Completion of chat-client for fish; written by docs/make_reference.py.", "complete -c chat-client -f"]
    for form, told in (("send", "send a text, or each line of the standard input"), ("tail", "print the messages, one a line")):
        lines.append(f"complete -c chat-client -n __fish_use_subcommand -a {form} -d '{told}'")
    for setting in dict.fromkeys(setting for settings in FORMS.values() for setting in _shown(settings)):
        forms = [form for form, settings in FORMS.items() if setting in settings]
        condition = ""
        if forms == [""]:
            condition = " -n 'not __fish_seen_subcommand_from send tail'"
        elif "" not in forms:
            condition = f" -n '__fish_seen_subcommand_from {' '.join(forms)}'"
        takes = ""
        if setting.kind.metavar:
            words = " ".join(setting.kind.words)
            takes = f" -x -a '{words}'" if words else " -rF" if _names_a_file(setting) else " -x"
        told = setting.help.replace("'", "\\'")
        lines.append(f"complete -c chat-client{condition} -l {setting.option[2:]}{takes} -d '{told}'")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    told = "write nothing, and name the files that are not up to date; the exit status is 1 then"
    parser.add_argument("--check", action="store_true", help=told)
    check = parser.parse_args().check
    page = DOCS / "client.md"
    files = {
        page: tables(page.read_text()),
        DOCS / "man" / "chat-client.1": man(),
        DOCS / "completions" / "chat-client.bash": bash(),
        DOCS / "completions" / "_chat-client": zsh(),
        DOCS / "completions" / "chat-client.fish": fish(),
    }
    old = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in old:
        if check:
            print(f"{path.relative_to(DOCS.parent)} is not up to date: run python docs/make_reference.py")
        else:
            path.write_text(files[path])
    return 1 if old and check else 0


if __name__ == "__main__":
    sys.exit(main())
