# SPDX-License-Identifier: Apache-2.0
"""The configuration changes while everything runs: replicas come, move and go, and clients go on."""

import re

import pytest

from support.cluster import Cluster
from support.server import eventually


@pytest.fixture
def make(tmp_path):
    made = []

    def start(**wishes):
        cluster = Cluster(tmp_path, **wishes)
        made.append(cluster)
        return cluster.start()

    yield start
    for cluster in made:
        cluster.stop()


def fill(cluster, count=50):
    with cluster.leader_store() as store:
        for number in range(count):
            store.put(f"key-{number:06d}", b"value")


def has_all(cluster, count=50):
    with cluster.leader_store() as store:
        return len(store.list("key-", "key-~")) == count


def settled(cluster):
    """Whether the last change of members, through learners and joint sets, has come to three voters."""
    return re.search(r"membership 4: voters \w+, \w+, \w+$", cluster.coordinator.output(), re.M)


def test_a_raised_replication_factor_makes_copies_of_what_is_there(make):
    cluster = make(namespaces=[{"name": "default", "initialShardCount": 1, "replicationFactor": 1}])
    fill(cluster)
    cluster.namespaces[0]["replicationFactor"] = 3
    cluster.configure()
    eventually(lambda: settled(cluster), "three members")
    leader = cluster.leader()
    leader.kill()
    cluster.await_other_leader(leader)
    assert has_all(cluster)


def test_a_server_taken_out_of_the_configuration_is_emptied_first(make):
    cluster = make(servers=4)
    fill(cluster)
    leaving = cluster.leader()
    cluster.configured.remove(leaving.name)
    cluster.configure()
    eventually(lambda: "holds nothing any more and is forgotten" in cluster.coordinator.output(), "its leave")
    leaving.kill()
    assert has_all(cluster)
    cluster.put("after", b"it")


def test_an_empty_server_where_one_with_data_was_is_filled_again(make):
    cluster = make()
    fill(cluster)
    leader = cluster.leader()
    lost = next(each for each in cluster.servers.values() if each is not leader)
    lost.kill()
    lost.lose_data()
    lost.start()
    eventually(lambda: settled(cluster), "three members")
    leader.kill()
    cluster.await_other_leader(leader)
    assert has_all(cluster)
