"""Measures the server: `python -m bench` starts one, loads it from another process, checks what came of it, prints a table."""
