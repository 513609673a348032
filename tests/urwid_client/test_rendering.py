from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.client_events import Topic
from common.text import clean
from urwid_client import rendering
from urwid_client.buffers import Buffer, Delivery, Kind, Note, Said, Traffic
from urwid_client.completion import Suggestion
from urwid_client.editing import Draft
from urwid_client.keys import KeyMap
from urwid_client.reconnecting import Route, Stage, Status
from urwid_client.rendering import Block, Context, Spans
from urwid_client.welcome import Welcome

MINUTE = 60_000


def utc(time_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)


NOON = int(datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.UTC).timestamp() * 1000)


def said(number: int = 1, text: str = "hello", sender: str = "bob", at: int = NOON, **more: object) -> Said:
    return Said((number, 0), at, sender, text, own=False)._replace(**more)  # type: ignore[arg-type]


def look(
    entry: Said | Note | Traffic, before: Said | Note | Traffic | None = None, unread_from: tuple[int, int] | None = None
) -> Block:
    return rendering.block(entry, rendering.context(entry, before, unread_from, utc), utc)


def words(spans: Spans) -> str:
    return "".join(text for _, text in spans)


PLAIN = Context(new_day=False, first_unread=False, same_minute=False, continues=False)


def test_the_first_message_has_the_day_the_time_and_the_name() -> None:
    block = look(said())
    assert block.rules == [("rule", "── Wednesday, 1 July 2026 ──")]
    assert (block.time, block.label[1], block.body) == ("12:00", "bob", [("text", "hello")])


def test_one_person_s_messages_stand_under_one_name() -> None:
    block = look(said(2, at=NOON + 2 * MINUTE), said(1))
    assert (block.time, block.label) == ("", ("", ""))


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        (said(2, sender="carla"), said(1)),
        (said(2, at=NOON + 6 * MINUTE), said(1)),
        (said(2, own=True), said(1)),
        (said(2), Note((1, 1), NOON, "note")),
        (said(2, at=NOON + 24 * 60 * MINUTE), said(1, at=NOON)),
    ],
)
def test_anything_between_calls_for_the_name_again(entry: Said, before: Said | Note) -> None:
    assert look(entry, before).label[1] == entry.sender


def test_the_time_is_told_when_it_has_changed() -> None:
    assert look(said(2, sender="carla", at=NOON + 1000), said(1)).time == ""
    assert look(said(2, sender="carla", at=NOON + MINUTE), said(1)).time == "12:01"


def test_a_new_day_is_told() -> None:
    assert look(said(2, at=NOON + 24 * 60 * MINUTE), said(1)).rules == [("rule", "── Thursday, 2 July 2026 ──")]


def test_where_the_unread_ones_begin() -> None:
    assert look(said(5), said(4), unread_from=(4, 0)).rules == [("unread rule", "── new ──")]
    assert look(said(6), said(5), unread_from=(4, 0)).rules == []
    assert look(said(4), said(3), unread_from=(4, 0)).rules == []


def test_a_mention_is_marked() -> None:
    block = look(said(text="Ada: see ada.", mentioned="ada"))
    assert block.body == [("text", ""), ("mention", "Ada"), ("text", ": see "), ("mention", "ada"), ("text", ".")]
    assert look(said(text="小明你好", mentioned="小明")).body == [("text", ""), ("mention", "小明"), ("text", "你好")]


def test_what_is_on_its_way_and_what_failed() -> None:
    assert look(said(delivery=Delivery.PENDING)).body == [("pending", "hello …")]
    failed = look(said(delivery=Delivery.FAILED, problem="too long"))
    assert words(failed.body) == "hello ✗ not sent: too long"
    assert failed.body[1][0] == "failed"


def test_notes_and_who_came_and_left() -> None:
    assert look(Note((1, 1), NOON, "careful", important=True)).body == [("important", "careful")]
    assert words(look(Traffic((1, 1), NOON, ("bob", "carla"), ("dmitri",))).body) == "bob, carla came · dmitri left"
    assert words(look(Traffic((1, 1), NOON, (), ("dmitri",))).body) == "dmitri left"
    assert (
        words(look(Traffic((1, 1), NOON, ("bob",), ("carla",), (("ada", "adele"),))).body)
        == "bob came · ada is now adele · carla left"
    )


def test_floods_of_empty_lines_and_tabs_are_tamed() -> None:
    assert words(look(said(text="a" + "\n" * 10_000 + "b\tc")).body) == "a\n\nb    c"


@pytest.mark.parametrize("time_ms", [2**63 - 1, 0, 10**17])
def test_no_time_is_impossible(time_ms: int) -> None:
    assert rendering.block(said(at=time_ms), PLAIN).time


@given(st.text(), st.text())
def test_nothing_shown_can_act_on_the_terminal(name: str, text: str) -> None:
    buffer = Buffer(Kind.ROOM, name)
    buffer.set_people([name], 1)
    entry = said(text=text, sender=name, problem=text, delivery=Delivery.FAILED)
    shown = [
        words(look(entry).body),
        look(entry).label[1],
        words(look(Note((1, 1), 0, text)).body),
        words(look(Traffic((1, 1), 0, (name,), (name,), ((name, name),))).body),
        words(rendering.heading(buffer)),
        rendering.conversation_line(buffer, True).name[1],
        words(rendering.people(buffer)),
        words(rendering.status(name, text, Status(Stage.WAITING, text), None, 0.0)),
    ]
    assert all(text == clean(text) for text in shown)
    assert "\n" not in "".join([shown[1], *shown[3:]])


def test_a_name_has_one_colour_however_it_is_written() -> None:
    assert rendering.name_style("Ada") == rendering.name_style("aDA")
    colours = {rendering.name_style(f"person{number}") for number in range(200)}
    assert colours == {f"name{number}" for number in range(rendering.NAME_COLOURS)}


def test_what_is_shown_of_a_topic_can_be_found() -> None:
    said = Said((1, 0), 0, "bob", "tea", own=False, topic=True)
    assert rendering.searched(said) == "changed the topic to: tea"
    assert rendering.searched(said._replace(text="")) == "cleared the topic"
    assert rendering.searched(said._replace(topic=False)) == "tea"


def test_conversations_in_the_list() -> None:
    room = Buffer(Kind.ROOM, "#dev")
    room.unread, room.number = 3, 3
    line = rendering.conversation_line(room, active=False)
    assert (line.number, line.name, line.unread) == ("3", ("waiting", "#dev"), ("unread", "3"))
    room.mentions, room.number = 1, 10
    assert rendering.conversation_line(room, active=True) == ("0", ("active", "#dev"), ("mentions", "3"))
    room.unread, room.number = 5_000, 11
    assert rendering.conversation_line(room, active=False)[::2] == ("", ("mentions", "999+"))
    assert words(rendering.unread_elsewhere([room, Buffer(Kind.DIRECT, "bob")], Buffer(Kind.DIRECT, "x"))) == "  #dev 999+"
    room.draft = Draft("half a line", 0)
    assert rendering.conversation_line(room, active=False).number == " *"
    room.number = 3
    assert rendering.conversation_line(room, active=False).number == "3*"
    assert rendering.conversation_line(room, active=True).number == "3"


def test_titles_tell_of_former_names_and_rooms_one_is_not_in() -> None:
    bob, room = Buffer(Kind.DIRECT, "bob"), Buffer(Kind.ROOM, "#dev")
    bob.former, room.joined = True, False
    assert (rendering.title(bob), rendering.title(room)) == ("bob (former)", "(#dev)")
    assert words(rendering.heading(room)).endswith("you are not in this room")


def test_people_are_listed_by_name_and_the_others_counted() -> None:
    room = Buffer(Kind.ROOM, "#dev")
    room.set_people(["carla", "Bob", "ada"], 1_203)
    assert [text for _, text in rendering.people(room)] == ["ada", "Bob", "carla", "+1,200 more"]
    assert words(rendering.heading(room)) == "#dev  1,203 people"
    room.turn_people(["BOB"], [])
    assert rendering.people(room)[1] == ("away", "Bob")
    assert rendering.people(room)[0] == (rendering.name_style("ada", "person"), "ada")


def test_what_is_searched_for_is_marked_in_whatever_it_stands() -> None:
    def marked(text: str, query: str) -> list[tuple[object, str]]:
        entry = said(text=text)
        body = rendering.block(entry, rendering.context(entry, None, None), sought=rendering.Sought(query, False)).body
        return [(style, part) for style, part in body if style == "found"]

    assert marked("a *bold* Bold word", "BOLD") == [("found", "bold"), ("found", "Bold")]
    assert marked("see https://example.org/plan now", "plan") == [("found", "plan")]
    assert "".join(part for _, part in marked("a *bold* word", "a *b")) == "a *bold* word", "it is in several parts"


def test_who_is_typing_is_said_in_few_words() -> None:
    said = [words(rendering.typing(names)).strip() for names in ([], ["ada"], ["ada", "b\nob"], ["a", "b", "c"])]
    assert said == ["", "ada is typing", "ada and b ob are typing", "several people are typing"]


def test_how_the_connection_stands() -> None:
    def status(stage: Stage, **more: object) -> str:
        return words(rendering.status("ada", "host:1", Status(stage, **more), 0.0123, 100.0))  # type: ignore[arg-type]

    assert status(Stage.ONLINE) == "● ada  12 ms"
    assert words(rendering.status("ada", "host:1", Status(Stage.ONLINE), None, 0.0, away=True)) == "● ada  away"
    assert words(rendering.status("ada", "host:1", Status(Stage.ONLINE), 4.2, 100.0)) == "● ada  answers take 4 s"
    named = rendering.status("ada", "host:1", Status(Stage.ONLINE), 0.0123, 100.0, names_server=True)
    assert words(named) == "● ada on host:1  12 ms"
    assert status(Stage.CONNECTING) == "○ connecting to host:1 …"
    assert status(Stage.WAITING, problem="connection refused", retry_at=102.6) == (
        "○ not connected, trying again in 3 s: connection refused"
    )
    assert status(Stage.ASKING, advice="/connect host:1 shows its key") == "○ not connected: /connect host:1 shows its key"


def test_where_nothing_was_written_it_is_said_what_can_be_done() -> None:
    dev = Buffer(Kind.ROOM, "#dev")

    def shown(*unbound: str) -> str:
        block = rendering.empty(dev, KeyMap(dict.fromkeys(unbound, ())))
        assert {style for style, _ in [block.label, *block.body]} == {"faint"}
        return words(block.body)

    assert shown() == "nothing to read here yet; Enter sends, F1 helps"
    assert shown("send", "help") == "nothing to read here yet"
    dev.joined = False
    assert shown() == "nothing to read here yet; /join #dev goes in"


def test_the_heading_tells_who_is_not_there() -> None:
    bob = Buffer(Kind.DIRECT, "bob")
    usual = "bob  between the two of you"
    for absent, heading in ((None, usual), (False, usual), (True, "bob  not here now, between the two of you")):
        assert words(rendering.heading(bob, absent)) == heading
    assert words(rendering.heading(bob, away=True, ignored=True)) == "bob  away, you ignore them, between the two of you"


@pytest.mark.parametrize(
    ("route", "heading", "warned"),
    [
        (None, "what the program has to say", False),
        (Route("example.org:65432", "TLS 1.3", is_local=False), "encrypted (TLS 1.3), connected to example.org:65432", False),
        (Route("127.0.0.1:65432", "", is_local=True), "not encrypted (on this machine), connected to 127.0.0.1:65432", False),
        (Route("example.org:65432", "", is_local=False), "not encrypted, connected to example.org:65432", True),
    ],
)
def test_whether_the_connection_is_encrypted_stands_where_one_finds_it(route: Route | None, heading: str, warned: bool) -> None:
    """And in sight of everybody only where others can read along."""
    assert words(rendering.heading(Buffer(Kind.SERVER, "server"), route=route)) == f"server  {heading}"
    assert words(rendering.heading(Buffer(Kind.ROOM, "#dev"), route=route)) == "#dev"
    status = rendering.status("ada", "host:1", Status(Stage.ONLINE), None, 0.0, route=route)
    assert (("important", "  not encrypted") in status) == warned
    assert words(status) == "● ada" + "  not encrypted" * warned


def test_how_many_are_in_a_room_is_told_once_it_is_known() -> None:
    room = Buffer(Kind.ROOM, "#dev")
    assert words(rendering.heading(room)) == "#dev"
    room.set_people(["ada"], 1)
    assert words(rendering.heading(room)) == "#dev  1 person"


def test_what_lies_below_is_told() -> None:
    assert rendering.below(at_end=True, newer=0) == ("", "")
    assert rendering.below(at_end=False, newer=0)[1] == "↓ more"
    assert rendering.below(at_end=False, newer=1_234)[1] == "↓ 1,234 new"


def test_the_question_for_a_name() -> None:
    asked = Welcome(server="host:1", problem="it is taken")
    lines = [words(spans) for spans in rendering.welcome(asked, KeyMap({}))]
    assert "What name do you want to go by?" in lines
    assert "on host:1" in lines
    assert any(line.startswith("Enter goes on, Ctrl+C leaves.") for line in lines)
    assert lines[-1] == "it is taken"
    proposed = [words(spans) for spans in rendering.welcome(Welcome(name="ada", server="host:1"), KeyMap({}))]
    assert proposed[-1].startswith("Enter goes on, Ctrl+U clears the line, Ctrl+C leaves."), "another one may be wanted"


def test_the_question_for_a_server() -> None:
    asked = Welcome(name="ada", server="host:1", ask_server=True)
    assert words(rendering.asking(asked)) == "○ pick a name"
    asked.answer()
    assert words(rendering.asking(asked)) == "○ pick a server"
    shown = [words(spans) for spans in rendering.welcome(asked, KeyMap({}))]
    assert any("Which server?" in line for line in shown)
    assert shown[-1].startswith("Enter goes on, Ctrl+U clears the line, Ctrl+C leaves.")


def test_the_question_for_a_key() -> None:
    asked = Welcome(server="host\x1b:1", fingerprint="SHA256:abc")
    assert words(rendering.asking(asked)) == "○ not connected: is this the server?"
    shown = [words(spans) for spans in rendering.welcome(asked, KeyMap({}))]
    assert "SHA256:abc" in shown
    assert "No asks for another server." in shown
    there = Welcome(server="host:1", fingerprint="SHA256:abc", came_from="home:1")
    back = [words(spans) for spans in rendering.welcome(there, KeyMap({}))]
    assert "No goes back to home:1." in back
    assert back[-1].startswith("Enter goes on, Esc goes back to home:1, Ctrl+C leaves.")
    assert shown[-1].startswith("Enter goes on, Ctrl+C leaves.")
    assert shown[0].startswith("host")
    assert "\x1b" not in shown[0]


def looks(text: str, mentioned: str = "", sender: str = "bob") -> list[tuple[object, str]]:
    entry = Said((1, 0), NOON, sender, text, own=False, mentioned=mentioned)
    return list(rendering.block(entry, rendering.context(entry, None, None)).body)


def test_emphasis_links_and_code_are_marked() -> None:
    assert looks("so *bold* and `code`") == [("text", "so "), ("strong", "*bold*"), ("text", " and "), ("code", "`code`")]
    assert looks("see https://a.example/b.") == [
        ("text", "see "),
        (rendering.Link("https://a.example/b"), "https://a.example/b"),
        ("text", "."),
    ]


def test_one_s_name_is_marked_within_emphasis() -> None:
    assert looks("*hello ada*", mentioned="ada") == [("strong", "*hello "), ("mention", "ada"), ("strong", "*")]


def test_what_somebody_does() -> None:
    entry = Said((1, 0), NOON, "bob", "/me waves", own=False)
    shown = rendering.block(entry, rendering.context(entry, None, None))
    assert shown.label[1] == "*"
    assert "".join(text for _, text in shown.body) == "bob waves"
    after = Said((2, 0), NOON, "bob", "hello", own=False)
    assert not rendering.context(after, entry, None).continues


def test_links_are_counted_from_the_newest() -> None:
    buffer = Buffer(Kind.ROOM, "#dev")
    for number, text in enumerate(("https://one https://two", "nothing", "https://three"), 1):
        buffer.add(Said((number, 0), NOON, "bob", text, own=False))
    assert [rendering.links(buffer, number) for number in range(5)] == ["", "https://three", "https://two", "https://one", ""]


def test_what_could_be_written_is_shown_around_the_choice() -> None:
    offered = [Suggestion(f"word{number}", "help") for number in range(10)]
    assert [words(line) for line in rendering.suggestions(offered, None, 2)] == ["  word0  help", "  word1  help  (+8 more)"]
    assert [words(line) for line in rendering.suggestions(offered[:2], None, 2)] == ["  word0  help", "  word1  help"]
    assert [line[1][0] for line in rendering.suggestions(offered, 5, 3)] == ["prompt", "active", "prompt"]


def test_a_paste_is_asked_about() -> None:
    usual, own = KeyMap({}), KeyMap({"send": ["f9"], "close": []})
    assert [*map(words, rendering.pasted("\none\ntwo", usual))] == [
        "  3 lines were pasted: one …",
        "  Enter puts them in, Esc drops them",
    ]
    assert words(rendering.pasted("one\ntwo", own)[1]) == "  F9 puts them in"


def test_who_changed_the_topic() -> None:
    block = look(said(text="tea at *five*", topic=True))
    assert block.label == ("note", "·")
    assert block.body == [
        (rendering.name_style("bob"), "bob "),
        ("note", "changed the topic to: "),
        ("text", "tea at "),
        ("strong", "*five*"),
    ]
    assert words(look(said(text="", topic=True)).body) == "bob cleared the topic"
    pending = look(said(text="tea", topic=True, own=True, delivery=Delivery.PENDING))
    assert words(pending.body) == "bob changes the topic to: tea …"
    refused = look(said(text="", topic=True, own=True, delivery=Delivery.FAILED, problem="the text is longer"))
    assert words(refused.body) == "bob clears the topic ✗ not sent: the text is longer"
    assert words(look(said(text="/me waves", topic=True)).body) == "bob changed the topic to: /me waves"


def test_a_topic_stands_alone() -> None:
    for topic, message in ((said(1, topic=True), said(2)), (said(2, topic=True), said(1))):
        assert not rendering.context(max(topic, message), min(topic, message), None, utc).continues


def with_topic(text: str) -> Buffer:
    room = Buffer(Kind.ROOM, "#dev")
    room.set_people(["ada", "bob"], 2)
    room.topic = Topic(text, "b\x1bob", NOON, 7)
    return room


def test_the_topic_stands_behind_the_room_s_name_with_its_links() -> None:
    assert rendering.heading(with_topic("")) == rendering.heading(with_topic(""))[:2]
    assert rendering.heading(with_topic("*tea*, see https://example.org/tea"))[1:] == [
        ("faint", "  2 people"),
        ("faint", " — "),
        ("strong", "*tea*"),
        ("text", ", see "),
        (rendering.Link("https://example.org/tea"), "https://example.org/tea"),
    ]
    room = with_topic("tea")
    room.joined = False
    assert words(rendering.heading(room)) == "(#dev)  you are not in this room"


@given(st.text(st.characters(exclude_categories=())))
def test_no_topic_acts_on_the_screen(text: str) -> None:
    room = with_topic(text)
    for shown in (words(rendering.heading(room)), rendering.topic(room, utc)):
        assert clean(shown) == shown
        assert "\n" not in shown


def test_the_whole_topic_is_told_with_who_set_it() -> None:
    assert rendering.topic(with_topic("tea"), utc) == "the topic of #dev, set by bob on 1 July 2026 at 12:00: tea"
    assert rendering.topic(with_topic(""), utc) == "#dev has no topic; /topic TEXT sets one"


def test_the_links_of_the_topic_come_behind_those_of_the_messages() -> None:
    room = with_topic("https://topic.example")
    room.add(said(text="https://one"))
    assert [rendering.links(room, number) for number in (1, 2, 3)] == ["https://one", "https://topic.example", ""]
