# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that jump, and machines whose clocks differ: time that clocks show decides nothing."""

import time

import grpc
import pytest

from support.clock import WallClock
from support.cluster import Cluster
from support.protocol import KEY_NOT_FOUND, Store
from support.server import eventually


@pytest.fixture
def clock(tmp_path):
    return WallClock(tmp_path / "clock")


@pytest.fixture
def store(make_server, clock):
    with make_server(environment=clock.environment).connect() as connected:
        yield connected


def modified(store, key):
    return store.put(key).version.modified_timestamp


def test_timestamps_never_go_back_when_the_clock_does(store, clock):
    first = modified(store, "/a")
    clock.set(1800)
    ahead = modified(store, "/a")
    assert ahead - first >= 1_800_000
    clock.set(-1800)
    assert modified(store, "/a") >= ahead


@pytest.mark.parametrize("jump", [3000, -3000])
def test_a_session_lives_as_long_as_it_is_kept_alive_and_no_longer_whatever_the_clock_shows(store, clock, jump):
    kept, left = store.create_session(2000), store.create_session(2000)
    store.put("/kept", session_id=kept)
    store.put("/left", session_id=left)
    clock.set(jump)
    began = time.monotonic()

    def left_is_gone():
        store.keep_alive(kept)
        return store.get("/left").status == KEY_NOT_FOUND
    eventually(left_is_gone, "the end of the session that is not kept alive", every=0.2)
    assert time.monotonic() - began > 1
    assert store.get("/kept").version.session_id == kept


def test_a_clock_hours_ahead_stops_writes_until_it_is_right_again(store, clock):
    store.put("/before", b"value")
    clock.set(4 * 3600)
    with pytest.raises(grpc.RpcError) as refused:
        store.put("/meanwhile", b"value")
    assert "clock" in refused.value.details()
    assert store.get("/before").value == b"value"
    clock.set(0)
    eventually(lambda: _put(store, "/after"), "a write once the clock is right")
    assert store.list() == ["/after", "/before"]


def _put(store, key):
    try:
        return store.put(key, b"value")
    except grpc.RpcError:
        return None


def test_servers_whose_clocks_are_minutes_apart_fail_over_and_lose_nothing(tmp_path):
    made = Cluster(tmp_path)
    for server, ahead in zip(made.servers.values(), [0, 300, -300]):
        server.environment = WallClock(tmp_path / f"{server.name}.clock", ahead).environment
    try:
        made.start()
        newest = 0
        for number in range(6):   # from leader to leader, so that clocks that are behind follow clocks that are ahead
            version = made.put(f"key-{number}", b"value").version
            assert version.modified_timestamp >= newest
            newest = version.modified_timestamp
            leader = made.leader()
            leader.kill()
            made.await_other_leader(leader)
            leader.start()
        with made.leader_store() as store:
            assert store.list("key-", "key-~") == [f"key-{number}" for number in range(6)]
    finally:
        made.stop()
