# SPDX-License-Identifier: Apache-2.0
"""Three servers and a coordinator as real processes: they elect, replicate, fail over, and lose nothing that was acknowledged."""

import threading
import time

import grpc
import pytest

from support.cli import Client
from support.cluster import Cluster
from support.protocol import OK, Store, failure_of
from support.server import eventually


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made.start()
    finally:
        made.stop()


class Writer(threading.Thread):
    """Writes numbered records through whoever leads, each once at a time, and keeps what was acknowledged and when."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.acknowledged, self.times = [], []
        self.unknown = set()
        self.ended = threading.Event()
        self.stores = {}

    def store(self, address):
        if address not in self.stores:
            self.stores[address] = Store(address, timeout=2)
        return self.stores[address]

    def run(self):
        addresses = [each.address for each in self.cluster.servers.values()]
        at, number = 0, 0
        while not self.ended.is_set():
            try:
                self.store(addresses[at % len(addresses)]).put(f"key-{number:06d}", str(number).encode())
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.ABORTED,):
                    self.unknown.add(number)   # it may have been written
                at += 1
                time.sleep(0.005)
                continue
            self.acknowledged.append(number)
            self.times.append(time.monotonic())
            number += 1

    def finish(self):
        self.ended.set()
        self.join(10)
        for store in self.stores.values():
            store.close()

    def longest_pause(self):
        return max((later - earlier for earlier, later in zip(self.times, self.times[1:])), default=0)


def missing(cluster, numbers):
    """Those of the records that the leader does not have."""
    with cluster.leader_store() as store:
        found = set(store.list("key-", "key-~"))
    return [number for number in numbers if f"key-{number:06d}" not in found]


def test_what_one_server_acknowledges_another_has_after_the_first_is_gone(cluster):
    leader = cluster.leader()
    with cluster.leader_store() as store:
        assert store.put("/greeting", b"hello").status == OK
    leader.kill()
    cluster.await_other_leader(leader)
    with cluster.leader_store() as store:
        assert store.get("/greeting").value == b"hello"


@pytest.mark.parametrize("end", ["kill", "pause"])
def test_nothing_acknowledged_is_lost_with_a_leader_that_dies_or_hangs(cluster, end):
    writer = Writer(cluster)
    writer.start()
    eventually(lambda: len(writer.acknowledged) > 100, "some writes")
    leader = cluster.leader()
    getattr(leader, end)()
    before = len(writer.acknowledged)
    eventually(lambda: len(writer.acknowledged) > before + 100, "writes after it")
    if end == "pause":
        leader.resume()
    else:
        leader.start()
    before = len(writer.acknowledged)
    eventually(lambda: len(writer.acknowledged) > before + 100, "writes after it is back")
    writer.finish()
    assert missing(cluster, writer.acknowledged) == []


def test_a_follower_that_was_away_can_lead_afterwards(cluster):
    leader = cluster.leader()
    away = next(each for each in cluster.servers.values() if each is not leader)
    away.kill()
    with cluster.leader_store() as store:
        for number in range(50):
            store.put(f"key-{number:06d}", b"value")
    away.start()
    others = [each for each in cluster.servers.values() if each not in (leader, away)]
    others[0].kill()   # so that the one that was away is needed for the next write
    cluster.put("after", b"it")
    leader = cluster.leader()
    leader.kill()
    others[0].start()
    with cluster.leader_store() as store:
        assert len(store.list("key-", "key-~")) == 50
        assert store.get("after").value == b"it"


def test_data_flows_and_nothing_is_elected_while_the_coordinator_is_away_or_comes_back(cluster):
    leader = cluster.leader()
    with cluster.leader_store() as store:
        cluster.coordinator.kill()
        version = store.put("without", b"coordinator").version
        cluster.coordinator.start()
        eventually(lambda: "in office" in cluster.coordinator.output().split("stopped")[-1], "the coordinator in office")
        assert store.put("without", b"election", expected_version_id=version.version_id).status == OK
    assert cluster.leader() is leader


def test_everything_is_there_after_all_processes_were_killed_at_once(cluster):
    with cluster.leader_store() as store:
        for number in range(100):
            store.put(f"key-{number:06d}", b"value")
    for each in cluster.processes():
        each.kill()
    for each in cluster.processes():
        each.start()
    cluster.await_leaders()
    eventually(lambda: missing(cluster, range(100)) == [], "all records")


def test_a_client_is_told_the_leader_by_every_server(cluster):
    leader = cluster.leader()
    follower = next(each for each in cluster.servers.values() if each is not leader)
    with Store(follower.address) as store:
        failed = failure_of(lambda: store.put("key", b"value"))
    assert failed.reason == "NODE_IS_NOT_LEADER" and failed.metadata["leader"] == leader.address


def test_the_command_line_follows_the_leader(cluster):
    for each in cluster.servers.values():
        client = Client(each.address)
        assert client("put", f"/from/{each.name}", "value").status == 0
    leader = cluster.leader()
    leader.kill()
    survivor = next(each for each in cluster.servers.values() if each is not leader)
    found = Client(survivor.address)("list", "-s", "/from/", "-e", "/from//")
    assert found.status == 0 and len(found.lines) == 3, found


def test_a_server_of_another_cluster_is_not_taken(tmp_path, cluster):
    other = Cluster(tmp_path / "other", servers=1)
    other.servers["one"] = cluster.servers["one"]   # its coordinator is told to take a server that belongs elsewhere
    other.configure()
    try:
        other.coordinator.start()
        eventually(lambda: "belongs to the cluster" in other.coordinator.output(), "the reason in the coordinator's log")
        with cluster.leader_store() as store:
            assert store.put("still", b"here").status == OK
    finally:
        other.coordinator.kill()
