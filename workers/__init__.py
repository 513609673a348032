"""The processes that own the clients' connections: the acceptor, which passes them on, and the workers."""
