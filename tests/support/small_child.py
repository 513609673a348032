"""Children for tests of the supervisor: real processes that do no more than a test needs, and misbehave as it asks.

What each role does is named in the environment variable SMALL_CHILDREN, a JSON object such as {"worker": "dies"}; a role that
is not in there behaves well.
"""

from __future__ import annotations

import json
import logging
import os
import select
import time
from typing import NoReturn

from broker.restarts import NEVER_READY_MOST
from common.child import Boot, CannotStart
from common.control import Control

logger = logging.getLogger("chat_broker.small")


def main(boot: Boot, control: Control) -> None:
    behaviour = json.loads(os.environ.get("SMALL_CHILDREN", "{}")).get(boot.role, "behaves")
    MISDEEDS.get(behaviour, behaves)(boot, control)


def behaves(boot: Boot, control: Control, obedient: bool = True) -> None:
    """Is ready at once, logs each order with the number of its descriptors, and ends when it is told to."""
    control.send("ready")
    while True:
        select.select([control], [], [])
        for order in control.receive():
            logger.info("%s g%d: %s %s +%d", boot.name, boot.generation, order.kind, json.dumps(order.data), len(order.fds))
            if order.kind == "status":
                control.send("status", {"role": boot.role})
            if order.kind == ("drain" if boot.role == "worker" else "stop") and obedient:
                return


def disobeys(boot: Boot, control: Control) -> None:
    behaves(boot, control, obedient=False)


def dies(boot: Boot, control: Control) -> NoReturn:
    os._exit(1)


def dies_after_its_start(boot: Boot, control: Control) -> NoReturn:
    control.send("ready")
    time.sleep(0.02)
    os._exit(1)


def stumbles(boot: Boot, control: Control) -> None:
    """Is well the second time."""
    if boot.generation == 0:
        raise ValueError("the first step\nis the hardest")
    behaves(boot, control)


def is_long_in_coming_back(boot: Boot, control: Control) -> None:
    """Is well, and after that dies in its start more often than may be at the beginning."""
    if 1 <= boot.generation <= NEVER_READY_MOST:
        os._exit(1)
    behaves(boot, control)


def loses_workers(boot: Boot, control: Control) -> None:
    """An acceptor whose socket to each worker is closed as soon as it has it, the first time."""
    for number in (1, 2):
        control.send("lost", {"number": number, "generation": 0})
    behaves(boot, control)


def loses_a_worker(boot: Boot, control: Control) -> None:
    """An acceptor whose socket to the first worker is closed when the file `lose` appears; it is ready behind that."""
    while not os.path.exists(os.path.join(boot.data_dir, "lose")):
        time.sleep(0.01)
    control.send("lost", {"number": 1, "generation": 0})
    behaves(boot, control)


def refuses(boot: Boot, control: Control) -> NoReturn:
    raise CannotStart("the log is from the future, install a newer chat-broker", status=1)


def refuses_silently(boot: Boot, control: Control) -> NoReturn:
    os._exit(3)


MISDEEDS = {
    action.__name__: action
    for action in (
        disobeys,
        dies,
        dies_after_its_start,
        stumbles,
        is_long_in_coming_back,
        loses_workers,
        loses_a_worker,
        refuses,
        refuses_silently,
    )
}
