"""Writes what the documents say about the programs from their own tables: options, limits, commands, keys, settings.

The tables of docs/client.md, and for both programs the man page and the completions for shells. Signals and files of the server
stand in docs/operating.md, from where its man page has them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from broker.settings import CHECK, SERVE, STATUS
from common import __version__
from common.settings import Location, Setting
from urwid_client import keys
from urwid_client.commands import COMMANDS, help_of
from urwid_client.settings import PREFERENCES, SCREEN, SEND, TAIL

DOCS = Path(__file__).parent


class Form(NamedTuple):
    """One form of a program: what stands as the first word decides."""

    settings: Sequence[Setting]
    does: str = ""
    zsh_words: str = ""
    """How zsh is told what it takes beside options, with a space behind it."""
    takes_directory: bool = False
    """Whether that is a directory."""


class Program(NamedTuple):
    """A command, and its forms by their words; the one without a word is the first."""

    name: str
    forms: Mapping[str, Form]

    @property
    def words(self) -> list[str]:
        return [word for word in self.forms if word]

    @property
    def options(self) -> list[Setting]:
        """Each once."""
        return [*dict.fromkeys(setting for form in self.forms.values() for setting in _shown(form.settings))]


CLIENT = Program(
    "chat-client",
    {
        "": Form(SCREEN),
        "send": Form(SEND, "send a text, or each line of the standard input", "'*:text:' "),
        "tail": Form(TAIL, "print the messages, one a line"),
    },
)
_ZSH_DIRECTORY = "'2:DIR:_files -/' "
SERVER = Program(
    "chat-broker",
    {
        "": Form(SERVE),
        "status": Form(STATUS, "tell about a running server", _ZSH_DIRECTORY, takes_directory=True),
        "check": Form(CHECK, "verify the log of a server that does not run", _ZSH_DIRECTORY, takes_directory=True),
    },
)


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


# --- the man pages ----------------------------------------------------------------------------------------------------


def man_of_client() -> str:
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
            "--port, --room (for send: --to) and --fingerprint. Without one that names a room, send must be given --to."
        ),
        ".SH OPTIONS",
        *_options(SCREEN),
        ".SS send",
        *_options([setting for setting in SEND if setting not in SCREEN]),
        ".SS tail",
        *_options([setting for setting in TAIL if setting not in SCREEN]),
        ".SH COMMANDS",
        _roff("They are typed into the line of input. //text sends a text that begins with a slash."),
        *_listed((command.usage, help_of(command)) for command in COMMANDS),
        ".SH KEYS",
        *_keys(),
        ".SH SETTINGS",
        _roff("/set shows and changes these, and keeps them in the file of settings; a key is bound anew by keys.ACTION."),
        *_listed((setting.key, _setting(setting)) for setting in PREFERENCES),
        ".SH FILES",
        *_files(),
        ".SH ENVIRONMENT",
        _roff("CHAT_CLIENT_HOST and so on give the options that are not on the command line. NO_COLOR asks for no colours."),
        ".SH EXIT STATUS",
        _roff("0 done, 1 failed, 2 wrong usage."),
    ]
    return "\n".join(lines) + "\n"


def man_of_server() -> str:
    operating = (DOCS / "operating.md").read_text()
    limits = [setting for setting in SERVE if setting.section]
    lines = [
        f'.TH CHAT\\-BROKER 1 "" "chat\\-broker {__version__}"',
        ".SH NAME",
        "chat\\-broker \\- a chat server",
        ".SH SYNOPSIS",
        ".B chat\\-broker",
        "[\\fIOPTION\\fR ...] [\\-\\- \\fICOMMAND\\fR [\\fIARG\\fR ...]]",
        ".br",
        ".B chat\\-broker status",
        "[[\\-\\-data\\-dir] \\fIDIR\\fR] [\\-\\-config \\fIFILE\\fR] [\\-\\-json]",
        ".br",
        ".B chat\\-broker check",
        "[[\\-\\-data\\-dir] \\fIDIR\\fR] [\\-\\-config \\fIFILE\\fR]",
        ".SH DESCRIPTION",
        _roff(
            "Without a form it is the server: it listens until it is told to stop, or with a COMMAND for as long as that runs in "
            "this terminal. status tells about a running server: where it listens, its processes, who is there, whether messages "
            "are refused. check verifies the log of a server that does not run, and changes nothing. Where other machines can "
            "reach the server, connections are encrypted, and it prints an invitation for chat-client."
        ),
        ".SH OPTIONS",
        *_options(SERVE),
        ".SS status",
        *_options(STATUS),
        ".SS check",
        *_options(CHECK),
        ".SH LIMITS",
        _roff("They stand in the FILE under [limits]; in the environment CHAT_BROKER_LIMITS_CONNECTIONS is connections."),
        *_listed((setting.name, f"{setting.help} (default: {setting.usually})") for setting in limits),
        ".SH SIGNALS",
        *_listed(_rows(operating, "## Signals")),
        ".SH FILES",
        _roff("In the data directory, by default ~/.local/share/chat-broker:"),
        *_listed(_rows(operating, "## Backups"), ".I"),
        ".SH ENVIRONMENT",
        _roff(
            "CHAT_BROKER_DATA_DIR and so on give the options that are not on the command line, before the FILE does. "
            "A COMMAND finds the server in CHAT_CLIENT_HOST, CHAT_CLIENT_PORT and, where it encrypts, CHAT_CLIENT_FINGERPRINT."
        ),
        ".SH EXIT STATUS",
        _roff(
            "0 stopped as asked, or done; 1 failed: the server cannot start or go on, no server runs, it refuses messages "
            "or a process of it does not answer, or the log is not whole; "
            "2 wrong usage or configuration. With a COMMAND it is the command's."
        ),
        ".SH SEE ALSO",
        ".BR chat\\-client (1)",
    ]
    return "\n".join(lines) + "\n"


def _rows(page: str, heading: str) -> Iterator[tuple[str, str]]:
    """The rows of the table of two columns that stands first behind the heading, as plain text."""
    table = re.search(r"(?m)^\| --- .*\n((?:\|.*\n)+)", page[page.index(f"{heading}\n") :])
    assert table, heading
    for line in table[1].replace("`", "").splitlines():
        first, second = line.strip("| ").split(" | ")
        yield first, second


def _listed(rows: Iterable[tuple[str, str]], request: str = ".B") -> list[str]:
    return [line for name, what in rows for line in (".TP", f"{request} {_roff(name)}", _roff(what))]


def _synopsis() -> list[str]:
    return [
        ".B chat\\-client",
        "[\\fIURL\\fR] [\\fIOPTION\\fR ...]",
        ".br",
        ".B chat\\-client send",
        "[\\fIURL\\fR] [\\-\\-to \\fI#ROOM\\fR|\\fINAME\\fR] [\\fIOPTION\\fR ...] [\\fITEXT\\fR ...]",
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
            lines += _listed([(keys.shown(binding), f"{binding.help} (keys.{binding.action.value})")])
    return lines


def _files() -> list[str]:
    told = {
        "~/.config/chat-client/settings.toml": "the settings; with --data-dir they stand in that directory",
        "~/.local/share/chat-client/tokens.json": "who you are on which server: keep it to yourself",
        "~/.local/share/chat-client/servers.json": "the servers that were spoken to in TLS, and what they are known by",
        "~/.local/share/chat-client/memory.json": "rooms, drafts, what you have read, whom you ignore",
    }
    return _listed(told.items(), ".I")


def _roff(text: str) -> str:
    """Escaped, and not to be taken for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


# --- completions ------------------------------------------------------------------------------------------------------


def _shown(settings: Sequence[Setting]) -> list[Setting]:
    return [setting for setting in settings if not setting.section]


def _names_a_file(setting: Setting) -> bool:
    return isinstance(setting.kind, Location)


def bash(program: Program) -> str:
    function = "_" + program.name.replace("-", "_")
    options = {name: " ".join(setting.option for setting in _shown(form.settings)) for name, form in program.forms.items()}
    every = {setting.option: setting for setting in program.options}
    values = "".join(
        f'        {option}) COMPREPLY=($(compgen -W "{" ".join(setting.kind.words)}" -- "$word")); return ;;\n'
        for option, setting in every.items()
        if setting.kind.words
    )
    files = "|".join(option for option, setting in every.items() if _names_a_file(setting))
    taking = "|".join(option for option, setting in every.items() if setting.kind.metavar and not setting.kind.words)
    taking = "|".join(option for option in taking.split("|") if option not in files.split("|"))
    directory = 'COMPREPLY=($(compgen -d -- "$word")) '
    of_forms = "".join(
        f'        {name}) options="{options[name]}" {directory * program.forms[name].takes_directory};;\n'
        for name in program.words
    )
    return f"""\
# Completion of {program.name} for bash; written by docs/make_reference.py.
{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} form=${{COMP_WORDS[1]}} options="{options[""]}"
    COMPREPLY=()
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
{values}        {files}) COMPREPLY=($(compgen -f -- "$word")); return ;;
        {taking}) return ;;
    esac
    case $form in
{of_forms}    esac
    [ "$COMP_CWORD" = 1 ] && options="{" ".join(program.words)} $options"
    COMPREPLY+=($(compgen -W "$options" -- "$word"))
}}
complete -F {function} {program.name}
"""


def zsh(program: Program) -> str:
    def arguments(form: Form) -> str:
        return " \\\n".join(f"        {_zsh_option(setting)}" for setting in _shown(form.settings))

    of_forms = "".join(
        f"    {name})\n        _arguments '1:form:({name})' {form.zsh_words}\\\n{arguments(form)}\n        ;;\n"
        for name, form in program.forms.items()
        if name
    )
    return f"""\
#compdef {program.name}
# Completion of {program.name} for zsh; written by docs/make_reference.py.
case ${{words[2]}} in
{of_forms}    *)
        _arguments '1:form:({" ".join(program.words)})' \\
{arguments(program.forms[""])}
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


def fish(program: Program) -> str:
    name, words = program.name, " ".join(program.words)
    lines = [f"# Completion of {name} for fish; written by docs/make_reference.py.", f"complete -c {name} -f"]
    lines += [f"complete -c {name} -n __fish_use_subcommand -a {word} -d '{program.forms[word].does}'" for word in program.words]
    if asking := " ".join(word for word, form in program.forms.items() if form.takes_directory):
        lines.append(f"complete -c {name} -n '__fish_seen_subcommand_from {asking}' -xa '(__fish_complete_directories)'")
    for setting in program.options:
        forms = [word for word, form in program.forms.items() if setting in form.settings]
        condition = ""
        if forms == [""]:
            condition = f" -n 'not __fish_seen_subcommand_from {words}'"
        elif "" not in forms:
            condition = f" -n '__fish_seen_subcommand_from {' '.join(forms)}'"
        takes = ""
        if setting.kind.metavar:
            values = " ".join(setting.kind.words)
            takes = f" -x -a '{values}'" if values else " -rF" if _names_a_file(setting) else " -x"
        told = setting.help.replace("'", "\\'")
        lines.append(f"complete -c {name}{condition} -l {setting.option[2:]}{takes} -d '{told}'")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    told = "write nothing, and name the files that are not up to date; the exit status is 1 then"
    parser.add_argument("--check", action="store_true", help=told)
    check = parser.parse_args().check
    page = DOCS / "client.md"
    files = {
        page: tables(page.read_text()),
        DOCS / "man" / "chat-client.1": man_of_client(),
        DOCS / "man" / "chat-broker.1": man_of_server(),
    }
    for program in (CLIENT, SERVER):
        files[DOCS / "completions" / f"{program.name}.bash"] = bash(program)
        files[DOCS / "completions" / f"_{program.name}"] = zsh(program)
        files[DOCS / "completions" / f"{program.name}.fish"] = fish(program)
    old = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in old:
        if check:
            print(f"{path.relative_to(DOCS.parent)} is not up to date: run python docs/make_reference.py")
        else:
            path.write_text(files[path])
    return 1 if old and check else 0


if __name__ == "__main__":
    sys.exit(main())
