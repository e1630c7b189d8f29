# SPDX-License-Identifier: Apache-2.0
"""What a replica's disk has got wrong is noticed, said, led around, and repaired from the others."""

import os
import shutil

import grpc
import pytest

from support.admin import Admin
from support.cluster import Cluster
from support.server import eventually

VALUE = 20_000


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    for each in made.servers.values():
        each.extra = ["--db-cache-size-mb", "8"]   # so that the engine writes files soon
    try:
        yield made.start()
    finally:
        made.stop()


def fill(cluster, count):
    written = {}
    for n in range(count):
        written[f"k{n:04d}"] = os.urandom(VALUE)
        cluster.ask_leader(lambda store, n=n: store.put(f"k{n:04d}", written[f"k{n:04d}"]))
    return written


def damage(file, start, end, step):
    with open(file, "r+b") as opened:
        for at in range(start, end, step):
            opened.seek(at)
            opened.write(b"\xff" * 64)


def node_folder(server):
    return server.folder / "data" / "node-0"


def aside(server):
    return server.folder / "data" / "node-0.damaged"


def segments(server):
    return sorted((node_folder(server) / "log").glob("*.seg"))


def follower_of(cluster):
    leader = cluster.leader()
    return next(each for each in cluster.servers.values() if each is not leader)


def damage_log(server):
    damage(segments(server)[0], 1_500_000, 1_500_001, 1)


def await_whole(cluster, admin, written):
    shard = eventually(admin.whole, "all replicas", 60)
    assert len(shard["replicas"]) == 3
    assert [key for key, value in written.items() if cluster.ask_leader(lambda store, key=key: store.get(key)).value != value] == []


def await_renewed(cluster, admin, victim, written, words="damaged"):
    """The victim is another node than it was, has everything, and what it had is kept."""
    def given_up():
        nodes = [each for each in admin.json("node", "list") if each["name"] == victim.name]
        return nodes if len(nodes) == 2 and nodes[1]["kept_aside"] else None
    former, now = eventually(given_up, "a new node", 60)
    assert former["lost"] and words in former["damage"]
    assert now["kept_aside"] == str(aside(victim)) and segments_are_in(aside(victim))
    assert str(aside(victim)) in admin.ok("node", "list").out
    await_whole(cluster, admin, written)
    assert any(each["node"] == victim.name for each in admin.shard()["replicas"])
    assert victim.running()


def segments_are_in(folder):
    return list((folder / "log").glob("*.seg"))


def test_a_log_found_damaged_at_a_start_is_put_aside_and_filled_anew(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 150)
    victim = follower_of(cluster)
    victim.kill()
    damage_log(victim)
    segment = segments(victim)[0].name
    victim.start()
    await_renewed(cluster, admin, victim, written)
    assert segment in victim.output()
    # As a node like any other: through a restart, and with a majority that needs it.
    assert victim.stop() == 0
    victim.start()
    next(each for each in cluster.servers.values() if each not in (victim, cluster.leader())).kill()
    assert cluster.ask_leader(lambda store: store.put("after", b"it"), 30)


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_node_whose_identity_is_damaged_or_gone_is_put_aside_and_filled_anew(cluster, harm):
    admin = Admin(cluster)
    written = fill(cluster, 150)
    victim = follower_of(cluster)
    victim.kill()
    identity = node_folder(victim) / "cluster-node"
    if harm == "gone":
        identity.unlink()
    else:
        damage(identity, 80, 81, 1)
    victim.start()
    await_renewed(cluster, admin, victim, written, words="cluster-node")


def test_a_second_damage_is_left_to_people_and_a_folder_put_aside_can_be_deleted(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 150)
    victim = follower_of(cluster)
    victim.kill()
    damage_log(victim)
    victim.start()
    await_renewed(cluster, admin, victim, written)
    victim.kill()
    damage_log(victim)
    victim.start()
    eventually(lambda: not victim.running(), "its end")
    assert "was damaged before" in victim.output() and "empty folder" in victim.output()
    def trouble():
        return next(each for each in admin.json("node", "list") if each["name"] == victim.name and not each["lost"])["trouble"]
    assert "can't be called" in eventually(trouble, "a word about it")
    shutil.rmtree(aside(victim))
    victim.start()
    eventually(lambda: aside(victim).exists(), "what was damaged")
    await_whole(cluster, admin, written)


def test_a_damaged_table_of_a_leader_is_noticed_by_its_reader_and_filled_anew(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 1500)
    victim = eventually(lambda: list(node_folder(cluster.leader()).glob("engine/*.sst")) and cluster.leader(), "tables")
    for table in node_folder(victim).glob("engine/*.sst"):
        damage(table, 5000, table.stat().st_size - 20_000, 10_000)

    def read_until_another_leads():
        leader = cluster.leader()
        with cluster.connect(leader) as store:
            for key, value in written.items():
                try:
                    assert store.get(key).value == value
                except grpc.RpcError:
                    continue
        return leader is not victim
    eventually(read_until_another_leads, "another leader", 60)
    await_renewed(cluster, admin, victim, written)


def test_a_segment_that_rots_under_a_leader_is_noticed_by_its_reader_and_filled_anew(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 400)   # more than is kept in memory for those who follow
    victim = cluster.leader()
    damage_log(victim)
    with pytest.raises(grpc.RpcError):
        for _ in cluster.connect(victim, timeout=20).notifications(after=0):
            pass
    await_renewed(cluster, admin, victim, written)


def test_a_log_in_a_folder_of_its_own_is_put_aside_there(tmp_path):
    cluster = Cluster(tmp_path)
    for each in cluster.servers.values():
        each.extra = ["--wal-dir", str(each.folder / "wal")]
    try:
        cluster.start()
        admin = Admin(cluster)
        written = fill(cluster, 150)
        victim = follower_of(cluster)
        victim.kill()
        logs = victim.folder / "wal" / "node-0"
        damage(sorted((logs / "log").glob("*.seg"))[0], 1_500_000, 1_500_001, 1)
        victim.start()
        eventually(lambda: aside(victim).exists() and segments_are_in(logs.with_name("node-0.damaged")), "what was damaged", 60)
        await_whole(cluster, admin, written)
        assert segments_are_in(logs)
    finally:
        cluster.stop()


def test_the_only_replica_is_kept_as_it_is(tmp_path):
    cluster = Cluster(tmp_path, servers=1)
    try:
        cluster.start()
        admin, victim = Admin(cluster), cluster.servers["one"]
        fill(cluster, 150)
        victim.kill()
        damage_log(victim)
        victim.start()
        node = eventually(lambda: "only replica" in admin.node("one")["trouble"] and admin.node("one"), "a word about it", 30)
        assert segments(victim)[0].name in node["trouble"]
        assert not node["lost"] and not aside(victim).exists() and victim.running()
    finally:
        cluster.stop()


def test_a_folder_whose_putting_aside_was_interrupted_is_begun_anew(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 50)
    victim = follower_of(cluster)
    victim.kill()
    node_folder(victim).rename(aside(victim))
    victim.start()
    eventually(lambda: node_folder(victim).exists(), "an empty folder")
    await_whole(cluster, admin, written)
