"""The tests, in folders that mirror the programs' own, and in groups that each have a time budget (`tests.support.groups`)."""
