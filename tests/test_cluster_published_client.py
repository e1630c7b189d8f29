# SPDX-License-Identifier: Apache-2.0
"""The published Python client on a cluster. It takes in one change of leaders in its life, so it is asked to survive one."""

import time

import grpc
import pytest

from support.cluster import Cluster
from support.published import connect


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made.start()
    finally:
        made.stop()


def put(client, key, value):
    deadline = time.monotonic() + 20
    while True:
        try:
            return client.put(key, value)
        except grpc.RpcError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_goes_on_when_the_leader_is_killed(cluster):
    leader = cluster.leader()
    survivor = next(each for each in cluster.servers.values() if each is not leader)
    client = connect(survivor.address)   # not closed: after a change of leaders its close() waits for ever, whoever serves it
    for number in range(20):
        put(client, f"/before/{number}", "value")
    leader.kill()
    for number in range(20):
        put(client, f"/after/{number}", "value")
    assert len(list(client.list("/before/", "/before//"))) == 20
    assert len(list(client.list("/after/", "/after//"))) == 20
