"""What several tests use: running servers, time limits, groups, tools of the machine. No tests in here."""
