# SPDX-License-Identifier: Apache-2.0
"""Shards are split and merged under load, and what clients are told stays that of one store."""

import random
import threading
import time

import oxia as published
import pytest

from support.cli import run
from support.cluster import Cluster
from support.history import History
from support.protocol import FLOOR, HIGHER, OK, Store, oxia, put
from support.published import connect
from support.routed import RoutedStore, RoutedWorker
from support.server import eventually


class Load:
    def __init__(self, cluster, workers=4, keys=40):
        self.cluster, self.keys = cluster, keys
        self.seed = random.SystemRandom().randrange(1_000_000)
        self.addresses = [each.address for each in cluster.servers.values()]
        self.history = History()
        self.ended = threading.Event()
        self.workers = [RoutedWorker(self, number) for number in range(workers)]
        for worker in self.workers:
            worker.start()
        self.flows()

    def flows(self):
        moment = time.monotonic()
        eventually(lambda: sum(at > moment for worker in self.workers for at in worker.done_at[-50:]) > 20, "acknowledged puts", 30)

    def finish(self):
        """Reads every key once more, then judges."""
        self.flows()
        self.ended.set()
        for worker in self.workers:
            worker.join(20)
        reader = RoutedStore(lambda: self.addresses, timeout=5)
        for number in range(self.keys):
            key = f"key-{number:03d}"
            eventually(lambda: self.history.get(key, lambda: reader.get(key)), f"an answer to a get of {key}", 30)
        reader.close()
        counts = self.history.counts()
        assert counts["puts"] > 100 and counts["gets"] > 100, f"seed {self.seed}: {counts}"
        assert self.history.violations() == [], f"seed {self.seed}"


class Admin:
    def __init__(self, cluster):
        self.address = cluster.coordinator.address

    def __call__(self, *words):
        return run("admin", "-a", self.address, "--request-timeout=10s", *words)

    def shards(self):
        """None when the coordinator does not answer."""
        listed = self("shard", "list", "-o", "json")
        return listed.json if listed.status == 0 else None

    def split(self, shard):
        return eventually(lambda: self.begun("split", "-n", "default", "--shard", str(shard)), "the wish to split", 30)

    def merge(self, left, right):
        return eventually(lambda: self.begun("merge", "-n", "default", "--left", str(left), "--right", str(right)), "the wish to merge", 30)

    def begun(self, *words):
        done = self("shard", *words)
        return [int(line) for line in done.lines] if done.status == 0 else None

    def settled(self, seconds=60):
        """The shards once nothing is split, merged or deleted any more, and all are served."""
        def steady():
            shards = self.shards()
            whole = shards and all(each["serving"] and each["reshape"] is None and each["state"] == "steady" for each in shards)
            return shards if whole else None
        return eventually(steady, "shards that stand as they should", seconds)


@pytest.fixture
def make(tmp_path):
    made = []

    def start(**wishes):
        cluster = Cluster(tmp_path, **wishes)
        made.append(cluster)
        cluster.start()
        return cluster, Admin(cluster)

    yield start
    for cluster in made:
        cluster.stop()


def numbers(shards):
    return [each["shard"] for each in shards]


def test_a_split_and_a_merge_under_load_are_one_store_to_clients(make):
    cluster, admin = make()
    load = Load(cluster)
    children = admin.split(0)
    shards = admin.settled()
    assert numbers(shards) == children, [each["given_up"] for each in shards]
    assert (shards[0]["max_hash"], shards[1]["min_hash"]) == (2**31 - 1, 2**31)
    load.flows()
    merged = admin.merge(*children)
    shards = admin.settled()
    assert numbers(shards) == merged, [each["given_up"] for each in shards]
    assert (shards[0]["min_hash"], shards[0]["max_hash"]) == (0, 2**32 - 1)
    load.finish()


@pytest.mark.parametrize("whom", ["leader", "follower", "coordinator"])
def test_one_that_is_killed_in_the_middle_loses_nothing(make, whom):
    cluster, admin = make()
    load = Load(cluster)
    pick = random.Random(load.seed)
    for _ in range(3):
        shard = admin.settled()[0]["shard"]
        leader = cluster.leader(shard=shard)
        victim = {"leader": leader, "coordinator": cluster.coordinator,
                  "follower": next(each for each in cluster.servers.values() if each is not leader)}[whom]
        children = admin.split(shard)
        time.sleep(pick.random() * 0.15)   # the kill shall come at any time
        victim.kill()
        victim.start()
        shards = admin.settled()
        assert set(children) <= set(numbers(shards)) or shard in numbers(shards)
        load.flows()
    load.finish()


def test_what_is_there_stays_when_there_is_no_load(make):
    cluster, admin = make(servers=1)
    store = RoutedStore(lambda: [cluster.servers["one"].address], timeout=5)
    for number in range(500):
        eventually(lambda: store.put(f"key-{number}", b"value"), "a put", 20)   # noqa: B023
    versions = {number: store.get(f"key-{number}") for number in range(500)}
    left, right = admin.split(0)
    assert numbers(admin.settled()) == [left, right]
    for number, seen in versions.items():
        assert eventually(lambda: store.get(f"key-{number}"), "a get", 20) == seen   # noqa: B023
    merged = admin.merge(left, right)
    assert numbers(admin.settled()) == merged
    for number, seen in versions.items():
        assert eventually(lambda: store.get(f"key-{number}"), "a get", 20) == seen   # noqa: B023
    store.close()


def test_who_still_names_the_parent_is_answered_by_its_children(make):
    cluster, admin = make(servers=1)
    admin.settled()
    with Store(cluster.servers["one"].address) as store:
        store.put("before", b"value")
        children = admin.split(0)
        admin.settled()
        session = store.create_session()
        keys = [f"key-{number}" for number in range(20)]
        answers = store.write(0, puts=[put(key, b"value", session_id=session) for key in keys]).puts
        assert [each.status for each in answers] == [OK] * len(keys)
        gets = [oxia.GetRequest(key=key, include_value=True) for key in keys]
        assert [each.value for each in store.read(0, gets)] == [b"value"] * len(keys)
        assert store.get("before").value == b"value"
        found = [store.list(shard=child) for child in children]
        assert all(found) and sorted(sum(found, [])) == sorted([*keys, "before"])
        assert store.list(shard=0) == sorted([*keys, "before"])
        assert [each.key for each in store.scan("key-1", "key-19", shard=0)] == sorted(key for key in keys if "key-1" <= key < "key-19")
        assert store.get("key-11x", FLOOR).key == "key-11" and store.get("key-11x", HIGHER).key == "key-12"
        store.keep_alive(session)
        store.close_session(session)
        assert sum((store.list(shard=child) for child in children), []) == ["before"]


def test_a_published_client_that_has_not_heard_of_a_split_reads_on(make):
    cluster, admin = make(servers=1)
    admin.settled()
    address = cluster.servers["one"].address
    keys = sorted(f"key-{number}" for number in range(20))
    with Store(address) as store:
        store.write(0, puts=[put(key, b"of " + key.encode()) for key in keys])
    client = connect(address)   # not closed: after a change of shards its close() waits for ever, whoever serves it
    assert list(client.list("key-", "key-9x")) == keys
    client._service_discovery._parse_assignments = lambda assignments: None   # it hears nothing any more
    admin.split(0)
    admin.settled()
    assert list(client.list("key-", "key-9x")) == keys
    assert [(key, value) for key, value, _ in client.range_scan("key-3", "key-7")] == [
        (key, b"of " + key.encode()) for key in keys if "key-3" <= key < "key-7"]
    assert client.get("key-5", comparison_type=published.ComparisonType.LOWER)[0] == keys[keys.index("key-5") - 1]
    assert client.get("key-5")[0] == "key-5"


def test_a_split_that_is_cancelled_leaves_the_shard_as_it_was(make):
    cluster, admin = make()
    load = Load(cluster)

    def cancelled():
        shard = admin.settled()[0]["shard"]
        admin.split(shard)
        done = admin("shard", "cancel", shard)
        assert done.status == 0 or "can't be stopped any more" in done.err or "being deleted" in done.err or "no shard" in done.err, done
        return [shard] if done.status == 0 else None
    kept = eventually(cancelled, "a split that is cancelled in time", 120)[0]
    shard = next(each for each in admin.settled() if each["shard"] == kept)
    assert "somebody wished it" in shard["given_up"]
    refused = admin("shard", "cancel", kept)
    assert refused.status != 0 and "is not being split or merged" in refused.err
    load.finish()
