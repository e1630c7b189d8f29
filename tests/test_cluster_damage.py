# SPDX-License-Identifier: Apache-2.0
"""What a replica's disk has got wrong is noticed, said, led around, and repaired from the others."""

import os

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


def replace_folder(server):
    """The remedy that the docs and the errors name."""
    node_folder(server).rename(server.folder / "damaged")
    node_folder(server).mkdir()
    server.start()


def await_whole(cluster, admin, written):
    shard = eventually(admin.whole, "all replicas", 60)
    assert len(shard["replicas"]) == 3
    assert [key for key, value in written.items() if cluster.ask_leader(lambda store, key=key: store.get(key)).value != value] == []


def test_a_damaged_log_is_refused_by_name_and_the_folder_filled_anew(cluster):
    admin = Admin(cluster)
    written = fill(cluster, 150)
    victim = next(each for each in cluster.servers.values() if each is not cluster.leader())
    victim.kill()
    segment = next(each for each in sorted((node_folder(victim) / "log").glob("*.seg")))
    damage(segment, 1_500_000, 1_500_001, 1)
    victim.start()
    eventually(lambda: not victim.running(), "its end")
    assert segment.name in victim.output() and "empty folder" in victim.output()
    shard = eventually(lambda: admin.shard()["why_not_yet"] and admin.shard(), "a word about it")
    assert victim.name in shard["why_not_yet"]
    assert "can't be called" in admin.node(victim.name)["trouble"]
    replace_folder(victim)
    await_whole(cluster, admin, written)


def test_a_damaged_table_of_a_leader_is_noticed_by_its_reader_and_another_leads(cluster):
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
    shard = eventually(lambda: admin.shard()["why_not_yet"] and admin.shard(), "a word about it")
    assert victim.name in shard["why_not_yet"]
    assert next(each for each in shard["replicas"] if each["node"] == victim.name)["role"] == "failed"
    assert "is damaged" in next(each for each in shard["replicas"] if each["node"] == victim.name)["reason"]
    victim.stop()
    replace_folder(victim)
    await_whole(cluster, admin, written)
