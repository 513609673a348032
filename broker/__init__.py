"""The server's programs that own its state: the command line, the supervisor, and the broker with its log."""

QUESTIONS = ("status", "check")
"""The forms of the command `chat-broker` that serve nobody."""
