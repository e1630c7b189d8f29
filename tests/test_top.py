# SPDX-License-Identifier: Apache-2.0
"""`skerry top`: what a process does, from its metrics."""

import json
import signal
import subprocess
import threading

import pytest

from support.cli import run
from support.server import PROGRAM

USAGE, UNAVAILABLE = 2, 5


@pytest.fixture
def busy(make_server):
    """A server with writers for as long as the test runs."""
    server = make_server(shards=2)
    over = threading.Event()

    def write():
        with server.connect() as store:
            while not over.is_set():
                store.put("/a", b"x" * 100)
                store.get("/a")

    thread = threading.Thread(target=write)
    thread.start()
    yield server
    over.set()
    thread.join()


def top(server, *words):
    return run("top", "-m", f"127.0.0.1:{server.metrics_port}", *words)


def test_once_tells_rates_latencies_shards_and_memory_as_json(busy):
    outcome = top(busy, "--once", "-i", "500ms", "-o", "json")
    assert outcome.status == 0 and len(outcome.lines) == 1, outcome
    seen = outcome.json
    assert seen["puts_per_second"] > 0 and seen["gets_per_second"] > 0 and seen["logged_bytes_per_second"] > 0
    assert seen["resident_bytes"] > 1 << 20 and seen["uptime_seconds"] >= 0 and seen["descriptors"] > 0
    assert [shard["shard"] for shard in seen["shards"]] == [0, 1] and seen["shards"][0]["commit"] >= 0
    assert any(method["per_second"] > 0 and method["p99_ms"] >= method["p50_ms"] > 0 for method in seen["methods"])
    assert 0 < sum(core["busy"] for core in seen["cores"]) <= len(seen["cores"])


def test_once_as_text_has_a_row_for_each_shard_and_method(busy):
    outcome = top(busy, "--once", "-i", "200ms")
    assert outcome.status == 0 and "\x1b" not in outcome.out
    assert "METHOD" in outcome.out and "OxiaClient/" in outcome.out
    rows = [line.split() for line in outcome.lines if line.startswith("default")]
    assert [row[1] for row in rows] == ["0", "1"]


def test_it_goes_on_until_ctrl_c(busy):
    process = subprocess.Popen([PROGRAM, "top", "-m", f"http://127.0.0.1:{busy.metrics_port}/metrics", "-i", "100ms", "-o", "json"],
                               stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        assert json.loads(process.stdout.readline())["puts_per_second"] >= 0
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def test_a_namespace_that_comes_and_goes_is_seen(server):
    shown = lambda: {shard["namespace"] for shard in top(server, "--once", "-i", "100ms", "-o", "json").json["shards"]}
    run("admin", "-a", server.address, "namespace", "create", "logs")
    assert shown() == {"default", "logs"}
    run("admin", "-a", server.address, "namespace", "delete", "logs", "--yes")
    assert shown() == {"default"}


def test_what_is_no_metrics_port_is_told(server):
    assert top(server, "--once", "-i", "1ms").status == USAGE
    closed = run("top", "-m", "127.0.0.1:1", "--once")
    assert closed.status == UNAVAILABLE and "--metrics-addr" in closed.err
    other = run("top", "-m", server.address, "--once")
    assert other.status == UNAVAILABLE and "127.0.0.1" in other.err


def test_a_log_level_of_an_unknown_module_is_refused_with_the_nearest(server):
    import urllib.error
    import urllib.request

    def put_level(text):
        request = urllib.request.Request(f"http://127.0.0.1:{server.metrics_port}/log-level", data=text.encode(), method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert put_level("info,storage=debug")[0] == 200
    status, says = put_level("info,storgae=debug")
    assert status == 400 and "did you mean storage?" in says
