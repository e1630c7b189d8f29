# SPDX-License-Identifier: Apache-2.0
"""A Skerry process under test: started on free ports of this machine, awaited by asking, ended by its pid."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import grpc

from .protocol import ROOT, Store

PROGRAM = pathlib.Path(os.environ.get("SKERRY", ROOT / "build/release/skerry"))
_random = random.Random(os.getpid() ^ time.time_ns())


def _ports():
    """Those of this process: tests run side by side, and each worker has a part of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    number = int(worker[2:]) % 8 if worker.startswith("gw") else 8
    return range(10_000 + number * 1_200, 10_000 + (number + 1) * 1_200)


_given = set()


def free_port():
    """A port nobody listens on, below those that the kernel hands out by itself; no process of tests gives one out twice."""
    ports = _ports()
    if len(_given) > len(ports) // 2:
        _given.clear()
    while True:
        port = _random.choice(ports)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def eventually(condition, what="the condition", seconds=20, every=0.02):
    """Asks until the answer is true and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(every)


def listens(pid, port):
    """Whether that process itself listens on the port: tests run side by side, and another's server may have been given it too."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    try:
        return any(os.readlink(handle.path) in sockets for handle in os.scandir(f"/proc/{pid}/fd"))
    except OSError:   # it has ended, or closed what was about to be looked at
        return False


class Server:
    """`skerry standalone` with a data folder and a log file of its own. Restarts keep address and folder."""

    def __init__(self, folder, shards=None, arguments=(), environment=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log = self.folder / "skerry.log"
        self.shards = shards
        self.arguments = list(arguments)
        self.environment = environment
        self.port, self.metrics_port = free_port(), free_port()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        shards = ["--shards", str(self.shards)] if self.shards is not None else []
        return [str(PROGRAM), "standalone", "--public-addr", self.address, "--metrics-addr", f"127.0.0.1:{self.metrics_port}",
                "--data-dir", str(self.data), *shards, *self.arguments]

    def launch(self):
        """Starts the process and doesn't wait for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(self.environment or {})})

    def start(self, seconds=30):
        for attempt in range(5):
            self.launch()
            if self._await_ready(seconds):
                return self
            if "already in use" not in self.output() or attempt == 4:
                break
            self.port, self.metrics_port = free_port(), free_port()
        raise AssertionError(f"the server ended with status {self.process.returncode} instead of starting:\n{self.output()}")

    def _await_ready(self, seconds):
        """True when it serves, False when it ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if not listens(self.pid, self.port):
                time.sleep(0.01)
                continue
            try:
                with Store(self.address, timeout=5) as store:
                    store.check_health("oxia-readiness")
                    next(iter(store.assignments()))
                return True
            except (OSError, grpc.RpcError):
                time.sleep(0.01)
        raise AssertionError(f"the server was not ready within {seconds} s:\n{self.output()}")

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=20):
        """As a person would: SIGTERM. Returns the exit status."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def connect(self, **options):
        return Store(self.address, **options)
