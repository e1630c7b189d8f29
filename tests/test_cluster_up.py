# SPDX-License-Identifier: Apache-2.0
"""`skerry cluster up`: a whole cluster in one terminal, and the trouble that is made for it."""

import json
import random
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from support.cli import Client, run
from support.server import PROGRAM, eventually

FAILED, USAGE, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 5


def free_ports(count):
    """The first of so many in a row that nobody listens on."""
    while True:
        first = random.randrange(20_000, 32_000 - count)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Up:
    """`skerry cluster up` in a folder, with its output in a file."""

    def __init__(self, folder, nodes=3, shards=2, flags=()):
        self.folder, self.nodes, self.shards, self.flags = folder, nodes, shards, list(flags)
        self.base = free_ports(10 * nodes)
        self.log = folder.with_suffix(".out")
        self.process = None

    def start(self, wait=True):
        command = [PROGRAM, "cluster", "up", "--nodes", str(self.nodes), "--shards", str(self.shards), "--dir", str(self.folder),
                   "--base-port", str(self.base), *self.flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            eventually(lambda: "Ready: " in self.output() or self.process.poll() is not None, "its readiness", 40)
            assert self.process.poll() is None, self.output()
        return self

    def output(self):
        return self.log.read_text() if self.log.exists() else ""

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        self.log.rename(self.log.with_suffix(".before"))
        return status

    def client(self, node=1):
        return Client(f"127.0.0.1:{self.base + 10 * (node - 1)}")

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return [int(pid) for pid in children.read().split()]

    def status(self):
        done = run("admin", "-a", f"127.0.0.1:{self.base + 3}", "cluster", "status", "-o", "json")
        return done.json if done.status == 0 else {"shards": [], "nodes": []}

    def condition(self, name):
        return next((node["condition"] for node in self.status()["nodes"] if node["name"] == name), None)

    def leaders(self):
        return {shard["leader"] for shard in self.status()["shards"] if shard["serving"]}

    def trouble(self, *words):
        done = run("cluster", *words, "--dir", self.folder)
        assert done.status == 0, done
        return done.out

    def put(self, key, value, node=1):
        eventually(lambda: self.client(node)("--request-timeout=3s", "put", key, value).status == 0, f"the put of {key}", 30)


@pytest.fixture
def up(tmp_path):
    made = []

    def start(wait=True, **wishes):
        one = Up(tmp_path / "cluster", **wishes)
        made.append(one)
        return one.start(wait)

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()   # its children end with it
        one.process.wait()


def test_a_cluster_comes_up_takes_records_and_ends_with_ctrl_c(up):
    cluster = up()
    children = cluster.children()
    assert len(children) == 4
    for node in (1, 2, 3):
        assert cluster.client(node)("put", f"/{node}", str(node)).status == 0
    assert len(cluster.status()["nodes"]) == 3
    asked = urllib.request.Request(f"http://127.0.0.1:{cluster.base + 6}/api/skerry.control.v1.Admin/GetCluster", b"{}",
                                   {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert len(json.load(answer)["nodes"]) == 3
    shown = run("top", "-m", f"127.0.0.1:{cluster.base + 6}", "--once", "-i", "200ms")   # a coordinator's metrics show its cluster
    assert shown.status == 0 and "CONDITION" in shown.out and "node-3" in shown.out
    assert cluster.stop() == 0
    assert not any(alive(pid) for pid in children)
    again = cluster.start()   # what was left goes on
    assert len(again.client()("list").lines) == 3
    assert again.stop() == 0


def test_once_ends_when_every_shard_has_a_leader(up, tmp_path):
    cluster = up(wait=False, nodes=1, flags=["--once"])
    assert cluster.process.wait(40) == 0, cluster.output()
    assert "Ready: " in cluster.output()
    assert (tmp_path / "cluster/node-1/skerry.log").exists() and (tmp_path / "cluster/coordinator/skerry.log").exists()


def test_a_killed_node_is_missed_and_comes_back_with_restart(up):
    cluster = up()
    assert "killed" in cluster.trouble("kill", "2")
    eventually(lambda: cluster.condition("node-2") == "failed", "the failure")
    eventually(lambda: "node-2" not in cluster.leaders() and len(cluster.status()["shards"]) == 2, "other leaders")
    cluster.put("/a", "1")
    cluster.trouble("restart", "2")
    eventually(lambda: cluster.condition("node-2") == "serving", "its return")
    assert "node-2 is started again" in cluster.output()


def test_a_node_that_is_cut_off_stops_leading_and_comes_back_when_healed(up):
    cluster = up(shards=1)
    cluster.put("/a", "1")
    leader = eventually(lambda: next(iter(cluster.leaders()), None), "a leader")
    number = leader.removeprefix("node-")
    assert "is cut from" in cluster.trouble("partition", number)
    eventually(lambda: cluster.leaders() - {leader}, "another leader")
    cluster.put("/b", "2", node=int(number) % 3 + 1)   # the one that is cut off has not heard of it
    cluster.trouble("heal", number)
    eventually(lambda: cluster.condition(leader) == "serving", "its return")
    assert len(cluster.client()("list").lines) == 2


def test_a_paused_node_counts_as_failed_until_it_goes_on(up):
    cluster = up(shards=1)
    cluster.trouble("pause", "node-3")
    eventually(lambda: cluster.condition("node-3") == "failed", "the failure")
    cluster.trouble("resume", "node-3")
    eventually(lambda: cluster.condition("node-3") == "serving", "its return")


def test_one_direction_between_two_nodes_can_be_cut(up):
    cluster = up(shards=1)
    text = cluster.trouble("partition", "1", "--from", "2", "--direction", "out")
    assert text.strip() == "node-1 is no longer heard by node-2"
    cluster.put("/a", "1")   # somebody leads whom a majority hears
    assert "nobody" in cluster.trouble("heal")


def test_nothing_stays_behind_when_it_is_killed(up):
    cluster = up(nodes=1)
    children = cluster.children()
    cluster.process.kill()
    cluster.process.wait()
    eventually(lambda: not any(alive(pid) for pid in children), "the end of its children")


def test_what_is_wrong_is_refused_with_the_reason(up, tmp_path):
    cluster = up(nodes=1)
    other = ["--dir", str(tmp_path / "other")]
    for words, status, says in [
        (["cluster", "up", "--dir", str(cluster.folder), "--nodes", "1", "--base-port", str(cluster.base)], FAILED, "already"),
        (["cluster", "up", *other, "--nodes", "1", "--base-port", str(cluster.base)], FAILED, "--base-port"),
        (["cluster", "up", *other, "--nodes", "40"], USAGE, "1 to 32"),
        (["cluster", "up", *other, "--nodes", "2", "--replication-factor", "3"], USAGE, "--nodes"),
        (["cluster", "kill", "1", *other], UNAVAILABLE, "cluster up"),
        (["cluster", "kill", "7", "--dir", str(cluster.folder)], NOT_FOUND, "nodes 1 to 1"),
        (["cluster", "resume", "1", "--dir", str(cluster.folder)], USAGE, "not paused"),
        (["cluster", "partition", "1", "--from", "1", "--dir", str(cluster.folder)], USAGE, "itself"),
        (["cluster", "kil", "1"], USAGE, "did you mean kill?"),
    ]:
        refused = run(*words)
        assert refused.status == status and says in refused.err, (words, refused)


def test_a_cluster_goes_on_with_the_servers_that_its_configuration_has_by_now(up):
    cluster = up(nodes=2, flags=["--replication-factor", "1"])
    coordinator = f"127.0.0.1:{cluster.base + 3}"
    assert run("admin", "-a", coordinator, "dataserver", "delete", "node-2").status == 0
    eventually(lambda: cluster.leaders() == {"node-1"}, "the move to node-1", 60)
    cluster.put("/a", "kept")
    assert cluster.stop() == 0
    cluster.start()
    assert cluster.client()("get", "/a").out == "kept\n"
    assert run("admin", "-a", coordinator, "dataserver", "list", "-o", "name").lines == ["node-1"]


def test_a_folder_keeps_to_the_nodes_and_ports_it_was_made_with(tmp_path):
    folder, base = tmp_path / "cluster", free_ports(30)
    made = ["--nodes", "2", "--base-port", str(base)]
    assert run("cluster", "up", "--once", "--dir", folder, *made, timeout=60).status == 0
    for flags in (["--nodes", "3", "--base-port", str(base)], ["--nodes", "1", "--base-port", str(base)],
                  ["--nodes", "2", "--base-port", str(base + 10)]):
        refused = run("cluster", "up", "--once", "--dir", folder, *flags, timeout=60)
        assert refused.status == USAGE and " ".join(made) in refused.err and " ".join(flags) in refused.err, refused
    assert not (folder / "node-3").exists()
    assert run("cluster", "up", "--once", "--dir", folder, *made, timeout=60).status == 0


def test_another_programs_folder_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Anna")
    refused = run("cluster", "up", "--once", "--nodes", "1", "--dir", tmp_path, "--base-port", str(free_ports(10)), timeout=60)
    assert refused.status == USAGE and "letter.txt" in refused.err, refused
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_child_that_can_not_start_ends_all_and_tells_why(tmp_path):
    folder = tmp_path / "cluster"
    run("cluster", "up", "--nodes", "1", "--once", "--dir", str(folder), "--base-port", str(free_ports(10)), timeout=60)
    (folder / "node-1/data").rename(folder / "node-1/was")
    (folder / "node-1/data").write_text("no folder")
    config = (folder / "coordinator/metadata/cluster.yaml").read_text()
    base = re.search(r"127.0.0.1:(\d+)", config)[1]
    failed = run("cluster", "up", "--nodes", "1", "--dir", str(folder), "--base-port", base, timeout=60)
    assert failed.status == FAILED and "node-1 ended with status" in failed.err, failed
    assert not (folder / "control").exists()
