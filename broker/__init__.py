"""The server's programs that own its state: the command line, the supervisor, and the broker with its log."""
