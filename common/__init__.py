"""The language that server and client share: messages, framing, names, text, errors, settings; and what all processes need.

It imports nothing of the programs that use it. The language itself is pure; only `channel`, `control`, `child`, `logs`,
`settings` and `log_file` touch descriptors, processes or files, and what they move or hold is not theirs to judge.
"""

__version__ = "0.1.0"
