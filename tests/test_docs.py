"""The documents say what the code does: the protocol's tables and examples, the README's commands, keys and options."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgpack
import pytest

import broker
from broker import settings as broker_settings
from broker.children import STOP_SIGNALS
from common import codec, limits
from common import messages as m
from common.errors import MEANINGS, Reason
from common.settings import HELP, VERSION, Setting
from tests.support.frames import request_of
from tests.support.tools import need
from urwid_client import keys
from urwid_client import settings as client_settings
from urwid_client.commands import COMMANDS, help_of

ROOT = Path(__file__).parents[1]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
README = (ROOT / "README.md").read_text()
PROGRAMS = ["chat-broker", "chat-client"]


def rows(text: str, heading: str) -> Iterator[list[str]]:
    """The rows of the table that stands first behind `heading`; without its own heading."""
    table = re.search(r"(?m)^\|.*\n\| --- .*\n((?:\|.*\n)+)", text[text.index(heading) :])
    assert table, heading
    for line in table[1].splitlines():
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# --- the protocol's messages ---------------------------------------------------------------------------------------------

TABLES = {"From the client:": m.REQUESTS, "From the server:": m.REPLIES}


def documented(heading: str) -> dict[str, tuple[list[str], set[str] | None]]:
    """Each message of a table: the names of its fields, and of its options if it has any."""
    messages = {}
    for message, _ in rows(PROTOCOL, heading):
        found = re.fullmatch(r'`\["(\w+)"((?:, \w+)*)(?:, \{([\w, ]*)\})?\]`', message)
        assert found, message
        fields = found[2].split(", ")[1:]
        options = None if found[3] is None else set(re.findall(r"\w+", found[3]))
        messages[found[1]] = fields, options
    return messages


@pytest.mark.parametrize("heading", TABLES)
def test_the_table_of_messages(heading: str) -> None:
    coded = {}
    for tag, shape in TABLES[heading].items():
        fields: Sequence[str] = shape.build._fields  # type: ignore[attr-defined] # each of them builds a NamedTuple
        coded[tag] = [field for field in fields if field != "options"], None if shape.options is None else set(shape.options)
    in_table = documented(heading)
    if "hello" in in_table:
        fields, options = in_table["hello"]
        in_table["hello"] = ["version" if field == str(m.VERSION) else field for field in fields], options
    assert in_table == coded


EXAMPLES = re.findall(r"(?m)^([CS]) (\[.*\])$", PROTOCOL)


def test_there_are_examples_of_what_matters() -> None:
    tags = {(side, json.loads(example)[0]) for side, example in EXAMPLES}
    assert tags >= {
        ("C", "hello"),
        ("S", "welcome"),
        ("S", "joined"),
        ("C", "send"),
        ("S", "msg"),
        ("C", "history"),
        ("S", "page"),
    }


@pytest.mark.parametrize(("side", "example"), EXAMPLES)
def test_an_example_is_a_message_and_knows_no_options_that_the_code_does_not(side: str, example: str) -> None:
    parse, shapes = (request_of, m.REQUESTS) if side == "C" else (m.parse_reply, m.REPLIES)
    value = json.loads(example)
    message = parse(msgpack.packb(value))
    assert message is not None
    assert list(message) == value[1:]
    if isinstance(message[-1], dict):
        assert set(message[-1]) <= set(shapes[value[0]].options or ())


def test_the_table_of_errors() -> None:
    coded = [
        [f"`{code}`", meaning.sentence, "closes" if meaning.closes else "again" if meaning.passing else ""]
        for code, meaning in MEANINGS.items()
    ]
    assert list(rows(PROTOCOL, "## Errors")) == coded


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"the length is at most ([\d,]+)", limits.FRAME_BYTES),
        (r"Arrays have at most (\d+) items", codec.ARRAY_ITEMS),
        (r"maps at most (\d+)", codec.MAP_ITEMS),
        (r"`members` has at most (\d+) names", limits.MEMBERS_SHOWN),
        (r"In rooms of more than (\d+) people", limits.MEMBERS_SHOWN),
        (r"at most `limit`, at most (\d+)", limits.PAGE_MESSAGES),
        (r"is in as well, at most (\d+)", limits.ROOMS_SHOWN),
        (r"refused hellos \((\d+), `hellos_refused`\)", limits.Limits().hellos_refused),
        (r"at most (\d+) bytes \(`away_bytes`\)", limits.Limits().away_bytes),
        (r"more than (\d+) bytes \(`limits.topic_bytes`", limits.Limits().topic_bytes),
        (r"above (\d+) a second", limits.Limits().messages_per_second),
        (r"share (\d+) a second", limits.Limits().user_messages_per_second),
        (r"after ([\d,]+) messages at once", limits.Limits().messages_per_second * limits.Limits().burst_seconds),
        (r"A name is kept for a while \((\d+) s\)", limits.Limits().name_grace_seconds),
    ],
)
def test_the_numbers(pattern: str, value: int) -> None:
    found = re.search(pattern, " ".join(PROTOCOL.split()))
    assert found, pattern
    assert int(found[1].replace(",", "")) == value


def test_the_reasons_of_a_goodbye() -> None:
    sentence = re.search(r"The server's reasons: (.*?)\n\S*After a minute", PROTOCOL, re.DOTALL)
    assert sentence
    assert re.findall(r"`(\w+)`", sentence[1]) == list(Reason)


# --- operating -----------------------------------------------------------------------------------------------------------


def test_the_table_of_limits() -> None:
    coded = [
        [f"`{field.name}`", f"{field.default:,}", f"{field.metadata['most']:,}", field.metadata["help"]]
        for field in dataclasses.fields(limits.Limits)
    ]
    assert list(rows(OPERATING, "## Limits")) == coded


def test_the_example_of_a_configuration() -> None:
    example = re.search(r"```toml\n(.*?)```", OPERATING, re.DOTALL)
    assert example
    known = {setting.key for setting in broker_settings.SERVE}
    tables = tomllib.loads(example[1])
    assert {f"limits.{name}" for name in tables.pop("limits")} | set(tables) <= known


def test_the_lengths_that_are_no_settings() -> None:
    lengths = (limits.FRAME_BYTES // 1024, limits.NAME_CHARS, limits.ROOM_CHARS)
    assert "at most {} KiB, a name {} characters, a room's name {}".format(*lengths) in OPERATING


def test_the_signals() -> None:
    named = {name for signals, _ in rows(OPERATING, "## Signals") for name in signals.split(", ")}
    assert named == {number.name for number in STOP_SIGNALS}


# --- the README ----------------------------------------------------------------------------------------------------------


def options(settings: Sequence[Setting], form: str = "") -> dict[str, list[str]]:
    """The options of a command as the README's table shows them."""
    table = {}
    for setting in settings:
        if not setting.section and setting not in (HELP, VERSION):
            default = setting.default_text or {True: "on", False: "", None: ""}.get(setting.default, str(setting.default))
            option = f"{setting.option} {setting.kind.metavar}".rstrip().replace("|", r"\|")
            table[f"`{option}`"] = [default, f"`{form}`: {setting.help}" if form else setting.help]
    return table


def test_the_options_of_the_server() -> None:
    assert {option: rest for option, *rest in rows(README, "### Options")} == options(broker_settings.SERVE)


def test_the_options_of_the_client() -> None:
    coded = options(client_settings.SCREEN)
    for form, settings in (("send", client_settings.SEND), ("tail", client_settings.TAIL)):
        coded |= options([setting for setting in settings if setting not in client_settings.COMMON], form)
    assert {option: rest for option, *rest in rows(README, "| `chat-client` |")} == coded


def test_the_commands() -> None:
    every = [[f"`{command.usage}`", help_of(command)] for command in COMMANDS]
    shown = list(rows(README, "### In the client"))
    assert shown == [row for row in every if row in shown]


def test_the_keys() -> None:
    bindings = {(keys.shown(binding), binding.help) for section in keys.SECTIONS.values() for binding in section}
    assert {(key, help) for key, help in rows(README, "| key |")} <= bindings | {
        (key, help) for shown, help in bindings for key in shown.split(", ")
    }


def test_what_is_made_from_the_programs_tables_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("program", sorted((ROOT / "docs").glob("make_*.py")), ids=lambda path: path.stem)
def test_the_programs_that_make_documents_explain_themselves(program: Path) -> None:
    for wrong, argument in enumerate(("--help", "--no-such-option")):
        done = subprocess.run([sys.executable, program, argument], capture_output=True, text=True, check=False)
        assert done.returncode == (2 if wrong else 0)
        assert (done.stderr if wrong else done.stdout).startswith(f"usage: {program.name} ")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_completions_can_be_read(program: str) -> None:
    for shell, name in (("bash", f"{program}.bash"), ("zsh", f"_{program}"), ("fish", f"{program}.fish")):
        path = ROOT / "docs" / "completions" / name
        assert program in path.read_text()
        if shutil.which(shell):
            subprocess.run([shell, "-n", path], check=True)


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["st"], {"status"}),
        (["status", "--"], {"--data-dir", "--config", "--json", "--help"}),
        (["check", "--j"], set()),
        (["check", "docs/comp"], {"docs/completions"}),
        (["docs/comp"], set()),
        (["--log-format", ""], {"text", "json"}),
        (["--work"], {"--workers"}),
    ],
)
def test_bash_completes_the_server_s_words(words: list[str], proposed: set[str]) -> None:
    script = f"""
source '{ROOT}/docs/completions/chat-broker.bash'
COMP_WORDS=(chat-broker "$@") COMP_CWORD=$#
_chat_broker
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run([need("bash"), "-c", script, "bash", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == proposed


def plain_man(program: str) -> str:
    """The page as it is read, without its layout; what man complains of fails the test."""
    page = (ROOT / "docs" / "man" / f"{program}.1").read_text()
    if shutil.which("groff"):
        command = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-rLL=500n"]
        done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
        assert done.stderr == ""
    return page.replace("\\-", "-")


def test_the_man_page_of_the_client() -> None:
    man = plain_man("chat-client")
    for command in COMMANDS:
        assert command.usage in man


def test_the_man_page_of_the_server() -> None:
    man = plain_man("chat-broker")
    for setting in broker_settings.SERVE:
        assert f"\n.B {setting.name if setting.section else setting.option}" in man
    for section in (*broker.QUESTIONS, "LIMITS", "SIGNALS", "FILES", "EXIT STATUS"):
        assert re.search(rf"(?m)^\.S[SH] {section}$", man)
    assert "\n.B SIGTERM, SIGINT\n" in man
    assert "\n.I chat.db, chat.db-wal, chat.db-shm\nthe log\n" in man


def test_what_is_made_for_shells_and_man_is_in_the_wheel() -> None:
    installed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    made = [path.relative_to(ROOT) for folder in ("man", "completions") for path in (ROOT / "docs" / folder).iterdir()]
    assert sorted(name for names in installed.values() for name in names) == sorted(map(str, made))


def test_the_two_lines_stand_between_their_marks() -> None:
    for mark, line in (
        (
            "run",
            "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/chat-broker --workers 2 -- .venv/bin/chat-client",
        ),
        ("tests", "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox"),
    ):
        assert f"<!-- {mark} -->\n```sh\n{line}\n```\n<!-- /{mark} -->" in README


def test_the_interpreters() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = [classifier.rpartition(" ")[2] for classifier in project["classifiers"] if ":: 3." in classifier]
    assert project["requires-python"] == f">={versions[0]}"
    assert f"Python {versions[0]} or newer" in README
    assert f"Python from {versions[0]} to {versions[-1]}" in README
    environments = re.search(r"env_list = (.*), groups", (ROOT / "tox.ini").read_text())
    assert environments
    assert environments[1].split(", ") == ["py" + version.replace(".", "") for version in versions]


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target
