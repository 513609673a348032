"""The tests, in folders that mirror the programs; some folders are groups of their own (`tests.support.groups`)."""
