# SPDX-License-Identifier: Apache-2.0
"""Several coordinators keep the status together: the loss of one is survived, and data flows meanwhile."""

import pytest

from support.cluster import Cluster
from support.server import eventually


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path, coordinators=3)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.mark.parametrize("end", ["kill", "pause"])
def test_another_coordinator_takes_over_and_fails_a_leader_over(cluster, end):
    first = cluster.in_office()
    cluster.put("before", b"value")
    getattr(first, end)()
    second = eventually(cluster.in_office, "another coordinator in office")
    assert second is not first
    leader = cluster.leader()
    leader.kill()
    cluster.await_other_leader(leader)
    cluster.put("after", b"value")
    with cluster.leader_store() as store:
        assert store.get("before").value == b"value"
    if end == "pause":
        first.resume()
        eventually(lambda: "not in office any more" in first.output(), "that the first one knows")


def test_one_of_three_coordinators_decides_nothing(cluster):
    first = cluster.in_office()
    others = [each for each in cluster.coordinators if each is not first]
    for each in others:
        each.kill()
    eventually(lambda: "not in office any more" in first.output(), "that it gives up")
    cluster.put("still", b"flows")
    for each in others:
        each.start()
    eventually(cluster.in_office, "a coordinator in office")


def test_a_coordinator_that_is_told_another_cluster_name_is_refused(cluster):
    stranger = next(each for each in cluster.coordinators if each is not cluster.in_office())
    stranger.kill()
    stranger.extra = ["--raft-cluster-name", "other"]
    stranger.start()
    eventually(lambda: not stranger.running(), "its end")
    assert "other" in stranger.output()
