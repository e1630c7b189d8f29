# SPDX-License-Identifier: Apache-2.0
"""`skerry shell`: lines of a script, and a person at a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from support.cli import Client, run
from support.server import PROGRAM

USAGE, NOT_FOUND = 2, 3


@pytest.fixture(params=[1, 4])
def server(request, make_server):
    return make_server(shards=request.param)


def script(server, text, *flags):
    return run("shell", "-a", server.address, *flags, stdin=text)


class Terminal:
    """The shell on a pseudo terminal, as a person sees it."""

    def __init__(self, server, tmp_path, *flags):
        self.seen = ""
        self.history = tmp_path / "state" / "history"
        main, beside = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, "shell", "-a", server.address, "--history-file", str(self.history), *flags],
                                        stdin=beside, stdout=beside, stderr=beside, start_new_session=True,
                                        preexec_fn=lambda: _take_terminal(beside), env={**os.environ, "TERM": "vt100"})
        os.close(beside)
        self.file = main
        self.expect("skerry> ")

    def type(self, text):
        os.write(self.file, text.encode())

    def expect(self, pattern, seconds=20):
        """Reads until the pattern has come, forgets what is before its end, and returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.file], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.file, 65536).decode(errors="replace")
                except OSError:   # the shell has ended
                    assert re.search(pattern, self.seen), f"ended without {pattern!r}: {self.seen!r}"

    def end(self, keys="\x04"):
        """What is typed before the prompt has come may be lost, as it may for a person: typed again until the shell has ended."""
        for _ in range(60):
            self.type(keys)
            try:
                return self.process.wait(0.3)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"the shell goes on: {self.seen!r}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.file)


def _take_terminal(file):
    import fcntl
    import termios
    fcntl.ioctl(file, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(server, tmp_path):
    terminals = []

    def make(*flags):
        terminals.append(Terminal(server, tmp_path, *flags))
        return terminals[-1]

    yield make
    for each in terminals:
        each.close()


# --- scripts


def test_lines_are_run_one_after_another_over_one_connection(server):
    outcome = script(server, "put /a 'one two'\n\n# a comment\nput /b 2 -e -1\nget /a\nlist\ndelete /b\nlist\n")
    assert outcome.status == 0 and outcome.err == ""
    assert outcome.lines[2:] == ["one two", "/a", "/b", "/a"]


def test_the_first_line_that_fails_ends_it_with_its_status(server):
    outcome = script(server, "put /a 1\nget /nothing\nput /b 1\n")
    assert outcome.status == NOT_FOUND and "Error: key not found" in outcome.err and "Line 2 failed: get /nothing" in outcome.err
    assert Client(server.address)("list").lines == ["/a"]


def test_keep_going_runs_the_rest_and_still_tells(server):
    outcome = script(server, "get /nothing\nput /b 1\n", "--keep-going")
    assert outcome.status == NOT_FOUND and "/b" in outcome.out


@pytest.mark.parametrize("line, says", [("gte /a", "did you mean get?"), ("get 'a", "not closed"), ("get", "KEY"), ("get /a --hx", "did you mean --hex?"),
                                        ("help nothing", "no word nothing")])
def test_lines_that_make_no_sense_are_refused(make_server, line, says):
    outcome = script(make_server(shards=1), line + "\n")
    assert outcome.status == USAGE and says in outcome.err, outcome


def test_it_knows_its_own_words(server):
    outcome = script(server, "help\nhelp get\nexit\nget /nothing\n")
    assert outcome.status == 0
    for word in ("range-scan", "admin", "use", "exit", "--comparison-type"):
        assert word in outcome.out


def test_namespaces_are_made_used_and_left(server):
    outcome = script(server, "admin namespace create logs\nuse logs\nput /only-here 1\nlist\nuse default\nlist\n")
    assert outcome.status == 0
    assert outcome.lines[-1] == "/only-here"


def test_wrong_flags_are_told_before_any_line(server):
    outcome = run("shell", "-a", "http://" + server.address, stdin="get /a\n")
    assert outcome.status == USAGE and "host:port" in outcome.err and "Line" not in outcome.err


# --- at a terminal


def test_a_person_edits_lines_and_finds_them_again(server, terminal, tmp_path):
    shell = terminal()
    shell.type("put /a wron\x7f\x7f\x7f\x7fright\r")
    shell.expect(r'"key":"/a"')
    shell.expect("skerry> ")
    shell.type("get /a\r")
    shell.expect(r"\nright\r\n")
    shell.expect("skerry> ")
    shell.type("\x1b[A\r")   # the line before, once more
    shell.expect(r"\nright\r\n")
    shell.expect("skerry> ")
    shell.type("put /ä 'süß'\r")
    shell.expect(r'"key":"/ä"')
    shell.expect("skerry> ")
    shell.type("get /ä\r")
    shell.expect(r"\nsüß\r\n")
    shell.expect("skerry> ")
    shell.type(" put /secret 1\r")
    shell.expect(r'"key":"/secret"')
    assert shell.end() == 0
    assert "get\\040/a" in shell.history.read_text() or "get /a" in shell.history.read_text()
    assert "secret" not in shell.history.read_text()
    assert shell.history.stat().st_mode & 0o077 == 0
    again = terminal()
    again.type("\x1b[A\r")
    again.expect(r"\nsüß\r\n")
    assert again.end("exit\r") == 0


def test_tab_completes_words_flags_and_keys(server, terminal):
    client = Client(server.address)
    for key in ("/fruit/apple", "/fruit/apricot", "/fruit/big/melon", "/vegetable"):
        client("put", key, "value-of-" + key.split("/")[-1])
    shell = terminal()
    shell.type("ge\t/v\t\r")
    shell.expect(r"\nvalue-of-vegetable\r\n")
    shell.expect("skerry> ")
    shell.type("get /f\tap\t\t")
    shell.expect("/fruit/apple")
    shell.expect("/fruit/apricot")
    shell.type("r\t\r")
    shell.expect(r"\nvalue-of-apricot\r\n")
    shell.expect("skerry> ")
    shell.type("get /fruit/b\t\t\r")   # the folder, which is no record, then what is in it
    shell.expect(r"\nvalue-of-melon\r\n")
    shell.expect("skerry> ")
    shell.type("get --comp\tfl\t/vegetables\r")
    shell.expect(r"\nvalue-of-vegetable\r\n")
    assert shell.end() == 0


def test_ctrl_c_drops_a_line_or_ends_a_command_and_not_the_shell(server, terminal):
    shell = terminal()
    shell.type("put /never wr")
    shell.expect("/never wr")
    shell.type("\x03")
    shell.expect("skerry> ")
    shell.type("notifications\r")
    shell.expect("until Ctrl-C")
    Client(server.address)("put", "/seen", "1")
    shell.expect("KEY_CREATED /seen")
    shell.type("\x03")
    shell.expect("skerry> ")
    shell.type("put /after 1\r")
    shell.expect(r'"key":"/after"')
    assert shell.end() == 0
    assert Client(server.address)("list").lines == ["/after", "/seen"]


def test_ctrl_c_ends_a_command_that_waits_for_a_server(server, terminal):
    server.kill()
    shell = terminal()
    shell.type("get /a\r")
    shell.expect("Waiting for a server")
    shell.type("\x03")
    shell.expect("skerry> ")
    server.start()
    shell.type("put /back 1\r")
    shell.expect(r'"key":"/back"')
    assert shell.end() == 0


def test_sigterm_ends_it(server, terminal):
    shell = terminal()
    shell.process.send_signal(signal.SIGTERM)
    assert shell.process.wait(20) == 0
