"""What the broker decides: who has which name, who is in which room, what comes next in the log. Pure: no sockets, no clock."""
