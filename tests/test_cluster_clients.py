# SPDX-License-Identifier: Apache-2.0
"""What clients hold on to survives a change of leaders: sessions, notifications, retried writes."""

import collections
import signal
import threading
import time

import pytest

from support.cli import Client
from support.cluster import Cluster
from support.protocol import KEY_NOT_FOUND, OK
from support.server import eventually


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made.start()
    finally:
        made.stop()


def everywhere(cluster):
    return Client(",".join(each.address for each in cluster.servers.values()))


def test_a_session_and_its_record_outlive_the_leader_and_end_with_their_client(cluster):
    holder = everywhere(cluster).start("put", "/workers/one", "at work", "--ephemeral", "--session-timeout", "3s")
    try:
        with cluster.leader_store() as store:
            eventually(lambda: store.get("/workers/one").status == OK, "the record")
        leader = cluster.leader()
        leader.kill()
        cluster.await_other_leader(leader)
        leader.start()
        time.sleep(5)   # longer than the session's timeout: only heartbeats to the new leader keep it
        with cluster.leader_store() as store:
            assert store.get("/workers/one").status == OK
    finally:
        holder.kill()
        holder.wait()
    with cluster.leader_store() as store:
        eventually(lambda: store.get("/workers/one").status == KEY_NOT_FOUND, "its end", seconds=15)


def test_a_follower_of_changes_sees_each_once_across_leaders(cluster):
    follower = everywhere(cluster).start("notifications")
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in follower.stdout], daemon=True)
    seen = lambda key: any(line.split()[1] == key for line in lines)   # noqa: E731
    try:
        reader.start()
        reader_sees = lambda: cluster.put("/before", b"value") and seen("/before")   # noqa: E731
        eventually(reader_sees, "that it follows")
        for number in range(60):
            if number in (20, 40):
                leader = cluster.leader()
                leader.kill()
                cluster.await_other_leader(leader)
                leader.start()
            cluster.put(f"/change/{number:02d}", b"value")
        cluster.put("/last", b"value")
        eventually(lambda: seen("/last"), "the last change")
    finally:
        follower.send_signal(signal.SIGKILL)
        follower.wait()
    created = collections.Counter(line.split()[1] for line in lines if line.startswith("KEY_CREATED /change/"))
    assert created == {f"/change/{number:02d}": 1 for number in range(60)}


def test_the_c_plus_plus_client_repeats_writes_through_a_change_of_leaders_and_each_happens_once(cluster):
    client = everywhere(cluster)
    leader = cluster.leader()
    for number in range(10):
        if number == 5:
            leader.kill()
        done = client("put", "/queue", f"value {number}", "-p", "all", "-d", "1")
        assert done.status == 0, done
    with cluster.leader_store() as store:
        assert store.list("/queue-", "/queue-~") == [f"/queue-{number:020d}" for number in range(1, 11)]
