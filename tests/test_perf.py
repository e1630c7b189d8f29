# SPDX-License-Identifier: Apache-2.0
"""`skerry perf`: a load, and what it reports."""

import json
import signal
import subprocess

import pytest

from support.cli import Client, run
from support.server import PROGRAM

USAGE, UNAVAILABLE = 2, 5


def perf(server, *words, **options):
    return run("perf", "-a", server.address, "--request-timeout", "10s", *words, **options)


def lines(outcome):
    return [json.loads(line) for line in outcome.lines]


def test_the_open_loop_keeps_its_rate_and_its_share_of_reads(make_server):
    server = make_server(shards=2)
    outcome = perf(server, "--rate", "500", "-p", "50", "--keys-cardinality", "20", "--duration", "2s", "--report-interval", "1s", "-o", "json")
    assert outcome.status == 0, outcome
    *intervals, total = lines(outcome)
    assert total["kind"] == "total" and all(line["kind"] == "interval" for line in intervals) and intervals
    asked = total["writes"]["operations"] + total["reads"]["operations"]
    assert 500 <= asked <= 1001 and total["failed"] == 0
    assert total["writes"]["operations"] > 0.3 * asked and total["reads"]["operations"] > 0.3 * asked
    assert 0 < total["writes"]["p50_ms"] <= total["writes"]["p99_ms"] <= total["writes"]["max_ms"]
    keys = Client(server.address)("list").lines
    assert set(keys) <= {f"key-{n}" for n in range(20)} and len(keys) > 10


def test_the_closed_loop_only_writes_when_told_so(server):
    outcome = perf(server, "--in-flight", "4", "-p", "0", "-s", "1000", "--key-prefix", "/load/", "--duration", "1s", "--histogram")
    assert outcome.status == 0
    assert "Stats" not in outcome.out and outcome.lines[0].startswith("Total of 1.0 s - Total ops:")
    assert "Write ops" in outcome.lines[1] and "99.9%" in outcome.lines[1] and "Read  ops    0.0 r/s" in outcome.lines[2]
    assert "Writes" in outcome.out and "ms 100" not in outcome.lines[1]
    assert all(key.startswith("/load/") for key in Client(server.address)("list").lines)
    assert len(Client(server.address)("get", Client(server.address)("list").lines[0], text=False).out) >= 1000


def test_ctrl_c_ends_it_with_the_report(server):
    process = subprocess.Popen([PROGRAM, "perf", "-a", server.address, "--rate", "200", "--report-interval", "1s"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert "Stats - Total ops:" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and "Total of" in out


@pytest.mark.parametrize("words, says", [(("--rate", "0"), "--rate"), (("-p", "101"), "0 to 100"), (("--keys-cardinality", "0"), "--keys-cardinality"),
                                         (("-s", "-1"), "--value-size"), (("--duration", "soon"), "soon"), (("--report-interval", "1ms"), "1s"),
                                         (("--rate", "100", "--in-flight", "3"), "excludes"),
                                         (("--rte", "5"), "did you mean --rate?")])
def test_what_is_wrong_is_refused_with_the_reason(words, says):
    outcome = run("perf", "-a", "127.0.0.1:1", *words)
    assert outcome.status == USAGE and says in outcome.err, outcome


def test_no_server_is_told():
    outcome = run("perf", "-a", "127.0.0.1:1", "--request-timeout", "1s", "--duration", "1s")
    assert outcome.status == UNAVAILABLE and outcome.out == ""
