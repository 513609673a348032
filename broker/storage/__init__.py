"""The logs that the broker can use: one backend per file, each with the interface `broker.log.Log`."""
