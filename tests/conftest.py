"""For every test: its group, its time limit, how often hypothesis tries; at the end the account of time and skips."""

from __future__ import annotations

import os
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support.groups import BUDGETS, LONG, group_of, over_budget
from tests.support.timeouts import seconds
from tests.support.tools import unlisted

_COMMON = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining takes minutes, and explains little
)
settings.register_profile("usual", _COMMON, max_examples=25, derandomize=True)
settings.register_profile("long", _COMMON, max_examples=5_000, print_blob=True)
settings.load_profile("long" if LONG else "usual")


class Account:
    """What a run spent on each group, and what it skipped."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.skipped: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.spent[next(group for group in BUDGETS if group in report.keywords)] += report.duration
        self._note_skip(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note_skip(report)

    def _note_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped.append((report.nodeid, report.longrepr[2].removeprefix("Skipped: ")))

    def faults(self) -> list[str]:
        """Why the run fails although every test passed."""
        faults = over_budget(self.spent)
        if os.environ.get("CI") == "true":
            reasons = unlisted(reason for _, reason in self.skipped)
            faults += [f"skipped, and not on the list of what may be: {reason}" for reason in reasons]
        return faults

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK and self.faults():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("time per group")
        for group, spent in self.spent.items():
            terminalreporter.line(f"{group:<12} {spent:6.1f} s of {seconds(BUDGETS[group]):g} s")
        for nodeid, reason in self.skipped:
            terminalreporter.line(f"SKIPPED {nodeid}: {reason}", yellow=True)
        for fault in self.faults():
            terminalreporter.line(f"FAILED {fault}", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for group, budget in BUDGETS.items():
        config.addinivalue_line("markers", f"{group}: this group has {budget:g} s")
    if config.option.timeout is None and not LONG:
        config.option.timeout = seconds(60)
    config.pluginmanager.register(Account(), "account")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(group_of(item.path))
