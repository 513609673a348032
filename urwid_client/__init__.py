"""The client: a terminal program to chat with, and the same without a screen for scripts.

What decides is pure: `state`, `buffers`, `commands`, `keys`, `completion`, `editing`, `rendering`, `scrolling`, `reconnecting`.
Thin shells move things: `connection` the bytes, `tokens` the secrets, `widgets` and `app` the screen, `headless` standard input
and output.
"""
