# SPDX-License-Identifier: Apache-2.0
"""One replica's disk fills up while clients write, and is freed again: nobody else is held up, and nobody has to restart anything."""

import os

import pytest

from support.admin import Admin
from support.cluster import Cluster
from support.server import eventually
from support.small_disk import fill, small_disk

VALUE = os.urandom(256 << 10)
COUNT = 700   # more than the room that is left and the memory above it take


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    for each in made.servers.values():
        each.extra = ["--wal-retention-bytes", "64MiB"]
    victim = made.servers["two"]
    with small_disk(tmp_path, victim.folder / "disk", size_mib=900):
        victim.data = victim.folder / "disk" / "data"
        try:
            yield made.start()
        finally:
            made.stop()


def make_leader(cluster, admin, name):
    def leads():
        if cluster.leader().name == name:
            return True
        admin("leader", "move", "0", "--to", name)
        return False
    eventually(leads, f"that {name} leads")


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_a_full_disk_of_one_replica_holds_up_nobody_and_mends_when_it_is_freed(cluster, role):
    admin, victim = Admin(cluster), cluster.servers["two"]
    make_leader(cluster, admin, "two" if role == "leader" else "one")
    ballast = fill(victim.data.parent, 24 << 20)
    for n in range(COUNT):
        cluster.ask_leader(lambda store, n=n: store.put(f"k{n:04d}", VALUE), 60)
    assert cluster.leader() is not victim
    shard = eventually(lambda: admin.shard()["why_not_yet"] and admin.shard(), "a word about it")
    assert "two" in shard["why_not_yet"] and "space" in shard["why_not_yet"]
    ballast.unlink()
    eventually(admin.whole, "all replicas", 60)
    assert victim.running()
    assert [n for n in range(COUNT) if cluster.ask_leader(lambda store, n=n: store.get(f"k{n:04d}")).value != VALUE] == []
