from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys

import pytest

from tests.support.strangers import said_as_a_stranger
from tests.support.timeouts import seconds
from urwid_client.loop import Loop

ENDS_WHILE_A_NAME_IS_LOOKED_UP = """
import asyncio, socket, threading, time
from urwid_client.loop import Loop
begun = threading.Event()
def look_up(*name):
    begun.set()
    time.sleep(600)
socket.getaddrinfo = look_up
loop = Loop()
connecting = loop.create_task(asyncio.open_connection("slow.example", 1))
loop.run_until_complete(asyncio.sleep(0))
while not begun.is_set():
    loop.run_until_complete(asyncio.sleep(0.01))
connecting.cancel()
loop.run_until_complete(asyncio.gather(connecting, return_exceptions=True))
loop.close()
"""


def test_the_program_does_not_wait_for_a_name_at_its_end() -> None:
    subprocess.run([sys.executable, "-c", ENDS_WHILE_A_NAME_IS_LOOKED_UP], check=True, timeout=seconds(10))


def run(host: str, port: int) -> tuple[str, int]:
    async def scene() -> tuple[str, int]:
        _, writer = await asyncio.open_connection(host, port)
        try:
            address: tuple[str, int] = writer.get_extra_info("peername")
            return address
        finally:
            writer.close()

    loop = Loop()
    try:
        return loop.run_until_complete(scene())
    finally:
        loop.close()


def test_a_name_is_looked_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run("localhost", port) == ("127.0.0.1", port)


@pytest.mark.parametrize(("host", "problem"), [("nowhere.invalid", socket.gaierror), ("x" * 64 + ".de", UnicodeError)])
def test_what_is_wrong_with_a_name_is_told(host: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        run(host, 1)


def test_that_there_is_no_thread_for_it_is_like_any_other_failure_of_the_network() -> None:
    def attempt() -> str:
        usual = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, usual[1]))
        try:
            run("localhost", 1)
        except OSError as problem:
            return str(problem)
        finally:
            resource.setrlimit(resource.RLIMIT_NPROC, usual)
        return "it was tried"

    assert said_as_a_stranger(attempt) == "no further thread can be had, raise the limit of processes"


def test_an_answer_that_comes_too_late_harms_nobody(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    loop = Loop()
    looking = loop.create_task(loop.getaddrinfo("localhost", 1))
    loop.run_until_complete(asyncio.sleep(0))
    looking.cancel()
    loop.run_until_complete(asyncio.gather(looking, return_exceptions=True))
    loop.close()
    loop._tell(loop.create_future(), print, "too late")
    assert capfd.readouterr() == ("", "")
