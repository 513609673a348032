"""What ends the client before it is done, and what the user asked for in vain."""

from __future__ import annotations


class Failed(Exception):
    """What was asked for cannot be done; one line for the user, which says what they can do. The exit status is 1."""


class OutputClosed(Exception):
    """Nobody reads the standard output any more: the end, and nothing to complain about."""


class WrongInput(Exception):
    """What the user asked for cannot be done; one line that says why, for them."""


class TooLong(WrongInput):
    """It was to be sent, and is longer than the server takes: it is the user's again, to be made shorter."""
