"""What is being written: the line with its history, completion, search and pastes, as keys change it. Knows no screen.

The line is in one of four modes: it is written, earlier inputs are searched (Ctrl+R), a paste of several lines waits to be
confirmed while one may write on, or `/quit` is offered until the next key. What a mode makes of an action is `Composer.do`; which
key means which action is `keys`' business.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence

from common.text import clean, clean_line
from urwid_client.completion import Completer, Suggestion, Words
from urwid_client.editing import Draft, Editor, InputHistory
from urwid_client.keys import EDITING, Action
from urwid_client.pasting import Paste

_OFFERED = Draft("/quit", len("/quit"))


class Mode(enum.Enum):
    WRITING = "writing"
    SEARCHING = "searching"
    CONFIRMING = "confirming"
    LEAVING = "leaving"


class Composer:
    """The line of input of the conversation that is on the screen."""

    def __init__(self, words: Callable[[], Words]) -> None:
        """`words` tells what can be completed at the moment."""
        self._words = words
        self._editor = Editor()
        self._completer = Completer()
        self._paste = Paste()
        self._before: Draft | None = None
        """What was being written when the search began."""
        self._found: int | None = None
        """The place in the history that the search has come to."""
        self.history = InputHistory()
        self._leaving = False
        """Whether `/quit` stands in the line by itself."""
        self.query = ""
        """What is searched for."""
        self.failing = False
        """Whether there is none with these words, or no earlier one; what was found before that stays in the line."""
        self.pasted = ""
        """Several lines that were pasted, and wait to be confirmed."""

    @property
    def draft(self) -> Draft:
        """What is being written; while earlier inputs are searched or looked through, what was written before that."""
        written = self._editor.draft if self._before is None else self._before
        if (waiting := self.history.waiting_behind(written.text)) is not None:
            written = Draft(waiting, len(waiting))
        return written._replace(pasted=self.pasted, pasted_at=self._editor.mark) if self.pasted else written

    @property
    def shown(self) -> Draft:
        """What stands in the line."""
        return _OFFERED if self._leaving else self._editor.draft

    @property
    def mode(self) -> Mode:
        if self.pasted:
            return Mode.CONFIRMING
        if self._leaving:
            return Mode.LEAVING
        return Mode.WRITING if self._before is None else Mode.SEARCHING

    @property
    def pasting(self) -> bool:
        """Whether the keys that come are a paste."""
        return self._paste.active

    def load(self, draft: Draft) -> None:
        """Turns to another conversation, and what was being written there."""
        self._before, self._leaving, self.pasted = None, False, draft.pasted
        self._editor.load(draft)
        self.history.stop()

    def take(self) -> str:
        """The finished text. The line is empty then, and the text the newest of the history."""
        text, self._leaving = self.shown.text, False
        self._editor.load(Draft())
        if text.strip():
            self.history.add(text)
        return text

    def give_back(self, text: str) -> None:
        """What was taken cannot be used: it is in the line again."""
        self._editor.load(Draft(text, len(text)))

    def suggestions(self) -> tuple[Sequence[Suggestion], int | None]:
        """What could stand at the cursor, and which of it the last Tab has put there."""
        return self._completer.choices(self._editor.draft, self._words) if self.mode is Mode.WRITING else ((), None)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def write(self, character: str) -> None:
        self._leaving = False
        if self.mode is Mode.SEARCHING:
            self._search(self.query + clean(character), None)
        else:
            self._editor.insert(clean(character))

    def paste(self, key: str) -> None:
        """A key that comes while `pasting`, or one that begins or ends it."""
        self._leaving = False
        if (text := self._paste.take(key)) is not None:
            self._take_paste(text)

    def do(self, action: Action) -> bool:
        """Does what an action means for the line; False if it is not for the line."""
        match self.mode:
            case Mode.CONFIRMING if self._confirm(action):
                return True
            case Mode.SEARCHING if self._go_on_searching(action):
                return True
            case Mode.LEAVING if action in (Action.SEND, Action.INTERRUPT):
                return False
            case Mode.LEAVING if action is Action.CLOSE:
                self._leaving = False
                return True
        self._leaving = False
        does = self._doings().get(action)
        if does is None and action in EDITING:
            does = getattr(self._editor, action.value)
        if does is not None:
            does()
        return does is not None

    def _doings(self) -> dict[Action, Callable[[], object]]:
        return {
            Action.COMPLETE: lambda: self._complete(1),
            Action.COMPLETE_BACK: lambda: self._complete(-1),
            Action.OLDER_INPUT: self._older,
            Action.NEWER_INPUT: self._newer,
            Action.SEARCH_INPUT: self._begin_search,
            Action.INTERRUPT: self._interrupt,
        }

    def _complete(self, step: int) -> None:
        completed = self._completer.complete(self._editor.draft, self._words(), step)
        if completed != self._editor.draft:
            self._editor.replace(completed)

    def _older(self) -> None:
        if not self._editor.line_up():
            self._recall(self.history.older(self._editor.text))

    def _newer(self) -> None:
        if not self._editor.line_down():
            self._recall(self.history.newer())

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self._editor.replace(Draft(text, len(text)))

    def _interrupt(self) -> None:
        if self._editor.text:
            self._editor.clear()
        else:
            self._leaving = True

    # --- pastes -------------------------------------------------------------------------------------------------------

    def _take_paste(self, text: str) -> None:
        text = text.strip("\n")
        if self.mode is Mode.SEARCHING:
            self._search(self.query + clean_line(text), None)
        elif "\n" not in text:
            self._editor.insert(text)
        elif self.pasted:
            self.pasted += f"\n{text}"
        else:
            self.pasted, self._editor.mark = text, self._editor.cursor

    def _confirm(self, action: Action) -> bool:
        """Whether the action answers the question; the line can be written on meanwhile."""
        if action is Action.SEND:
            self._editor.insert_lines_at_mark(self.pasted)
        if action in (Action.SEND, Action.CLOSE, Action.INTERRUPT):
            self.pasted = ""
            return True
        return action is Action.SEARCH_INPUT

    # --- searching ----------------------------------------------------------------------------------------------------

    def _begin_search(self) -> None:
        self._before, self._found, self.query, self.failing = self._editor.draft, None, "", False

    def _go_on_searching(self, action: Action) -> bool:
        """Whether the action belongs to the search; any other one ends it with what was found, and is done then."""
        match action:
            case Action.SEARCH_INPUT:
                self._search(self.query, self._found)
            case Action.DELETE_BACK:
                self._search(self.query[:-1], None)
            case Action.CLOSE | Action.INTERRUPT:
                self._end_search(keep=False)
            case Action.SEND:
                self._end_search(keep=True)
            case _:
                self._end_search(keep=True)
                return False
        return True

    def _search(self, query: str, before: int | None) -> None:
        """Shows the newest input with these words in it; of those `before` a place, to go further back."""
        self.query = query
        found = self.history.find(query, before)
        self.failing = found is None
        if found is not None:
            self._found, text = found
            self._editor.load(Draft(text, len(text)))

    def _end_search(self, keep: bool) -> None:
        assert self._before is not None
        before, self._before = self._before, None
        found = self._editor.draft
        self._editor.load(before)
        if keep:
            self._editor.replace(found)

    def restore_history(self, texts: Iterable[str]) -> None:
        """What was sent in earlier runs of the program."""
        for text in texts:
            self.history.add(text)
