"""The language that server and client share: messages, framing, names, text, errors, settings.

Nothing in here knows a socket, a clock, a database or a screen, and nothing in here imports the programs that use it.
The one exception is `common.channel`, which moves bytes over a descriptor that it is given.
"""

__version__ = "0.1.0"
