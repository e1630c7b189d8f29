# SPDX-License-Identifier: Apache-2.0
"""The published Python client (oxia 0.2.1), unchanged, against one and several shards: every operation that it has."""

import threading
import time
import uuid

import pytest

import oxia
from oxia import ComparisonType, NotificationType
from oxia.ex import InvalidOptions, KeyNotFound, UnexpectedVersionId
from support.published import connect
from support.server import eventually

shards = pytest.mark.parametrize("shards", [1, 4])


@pytest.fixture
def client(make_server, shards):
    with connect(make_server(shards=shards).address) as client:
        yield client


class Collector:
    """Reads an endless iterator on a thread of its own."""

    def __init__(self, source):
        self.seen, self.source = [], source
        self.thread = threading.Thread(target=lambda: self.seen.extend(iter_into(self.seen, source)), daemon=True)
        self.thread.start()

    def wait_for(self, condition, what):
        eventually(lambda: condition(self.seen), what)
        return self.seen


def iter_into(seen, source):
    for item in source:
        seen.append(item)
    return ()


@shards
def test_put_and_get(client):
    key, version = client.put("/a", b"value")
    assert key == "/a" and version.version_id() == 0 and version.modifications_count() == 0
    assert not version.is_ephemeral() and version.session_id() is None and version.client_identity() is None
    assert abs(version.created_timestamp().timestamp() - time.time()) < 60
    got_key, value, got = client.get("/a")
    assert (got_key, value) == ("/a", b"value")
    assert str(got) == str(version)


@shards
def test_text_values_are_stored_as_utf_8(client):
    client.put("/ü", "värde ✓")
    assert client.get("/ü")[1].decode() == "värde ✓"


@shards
def test_updates_count(client):
    versions = [client.put("/a", str(n))[1] for n in range(5)]
    assert [v.modifications_count() for v in versions] == list(range(5))
    assert [v.version_id() for v in versions] == list(range(5))
    assert len({v.created_timestamp() for v in versions}) == 1


@shards
def test_a_missing_key_raises(client):
    for comparison in ComparisonType:
        with pytest.raises(KeyNotFound):
            client.get("/a", comparison_type=comparison)


@shards
def test_a_get_without_value(client):
    client.put("/a", b"value")
    key, value, version = client.get("/a", include_value=False)
    assert key == "/a" and not value and version.version_id() == 0


@shards
def test_conditional_puts_and_deletes(client):
    _, first = client.put("/a", "1", expected_version_id=oxia.EXPECTED_RECORD_DOES_NOT_EXIST)
    with pytest.raises(UnexpectedVersionId):
        client.put("/a", "2", expected_version_id=oxia.EXPECTED_RECORD_DOES_NOT_EXIST)
    _, second = client.put("/a", "2", expected_version_id=first.version_id())
    with pytest.raises(UnexpectedVersionId):
        client.put("/a", "3", expected_version_id=first.version_id())
    with pytest.raises(UnexpectedVersionId):
        client.delete("/a", expected_version_id=first.version_id())
    assert client.get("/a")[1] == b"2"
    assert client.delete("/a", expected_version_id=second.version_id()) is True
    assert client.delete("/a") is False
    with pytest.raises(UnexpectedVersionId):
        client.put("/b", "1", expected_version_id=77)


@shards
def test_list_and_range_scan_over_all_shards(client):
    for n in range(200):
        client.put(f"/k/{n:03}", f"v{n}")
    keys = [f"/k/{n:03}" for n in range(50, 150)]
    assert client.list("/k/050", "/k/150") == keys
    records = list(client.range_scan("/k/050", "/k/150"))
    assert [key for key, _, _ in records] == keys
    assert [value.decode() for _, value, _ in records] == [f"v{n}" for n in range(50, 150)]
    assert all(version.modifications_count() == 0 for _, _, version in records)
    assert client.list("/x/", "/x//") == [] and list(client.range_scan("/x/", "/x//")) == []


@shards
def test_delete_range_over_all_shards(client):
    for n in range(100):
        client.put(f"/k/{n:03}", "x")
    client.delete_range("/k/010", "/k/090")
    assert client.list("/k/", "/k//") == [f"/k/{n:03}" for n in (*range(10), *range(90, 100))]


@shards
def test_get_by_comparison(client):
    for name in "abdef":
        client.put(f"/{name}", name)

    def found(key, comparison):
        return client.get(key, comparison_type=comparison)[0]

    assert found("/b", ComparisonType.EQUAL) == "/b"
    assert [found("/b", c) for c in (ComparisonType.FLOOR, ComparisonType.CEILING)] == ["/b", "/b"]
    assert [found("/c", c) for c in (ComparisonType.FLOOR, ComparisonType.LOWER)] == ["/b", "/b"]
    assert [found("/c", c) for c in (ComparisonType.CEILING, ComparisonType.HIGHER)] == ["/d", "/d"]
    assert [found("/d", c) for c in (ComparisonType.LOWER, ComparisonType.HIGHER)] == ["/b", "/e"]
    with pytest.raises(KeyNotFound):
        found("/f", ComparisonType.HIGHER)
    with pytest.raises(KeyNotFound):
        found("/a", ComparisonType.LOWER)


@shards
def test_records_of_one_partition_key_live_together(client):
    for n in range(50):
        client.put(f"/k/{n:02}", "x", partition_key="p")
        client.put(f"/other/{n:02}", "x")
    assert client.list("/k/", "/k//", partition_key="p") == [f"/k/{n:02}" for n in range(50)]
    assert len(list(client.range_scan("/k/", "/k//", partition_key="p"))) == 50
    assert client.get("/k/07", partition_key="p")[0] == "/k/07"
    assert client.get("/k/07+", partition_key="p", comparison_type=ComparisonType.FLOOR)[0] == "/k/07"
    assert client.delete("/k/07", partition_key="p") is True
    client.delete_range("/k/00", "/k/40", partition_key="p")
    assert client.list("/k/", "/k//") == [f"/k/{n:02}" for n in range(40, 50)]
    assert len(client.list("/other/", "/other//")) == 50


@shards
def test_sequence_keys(client):
    made = [client.put("/s", "x", partition_key="p", sequence_keys_deltas=[1])[0] for _ in range(3)]
    assert made == [f"/s-{n:020}" for n in (1, 2, 3)]
    assert client.put("/t", "x", partition_key="p", sequence_keys_deltas=[5, 6])[0] == f"/t-{5:020}-{6:020}"
    assert client.get(made[1], partition_key="p")[1] == b"x"
    with pytest.raises(InvalidOptions):
        client.put("/s", "x", sequence_keys_deltas=[1])


@shards
def test_sequence_updates(client):
    client.put("/s", "x", partition_key="p", sequence_keys_deltas=[1])
    updates = client.get_sequence_updates("/s", partition_key="p")
    assert next(updates) == f"/s-{1:020}"
    collector = Collector(updates)
    for _ in range(10):
        client.put("/s", "x", partition_key="p", sequence_keys_deltas=[1])
    seen = collector.wait_for(lambda seen: seen and seen[-1] == f"/s-{11:020}", "the last key")
    assert seen == sorted(seen)
    updates.close()


@shards
def test_secondary_indexes(client):
    people = {"/p/1": ("Zoe", "50"), "/p/2": ("Ada", "36"), "/p/3": ("Max", "41"), "/p/4": ("Eve", "29")}
    for key, (name, age) in people.items():
        client.put(key, name, secondary_indexes={"name": name, "age": age})
    assert sorted(client.list("", "", use_index="name")) == sorted(people)
    assert sorted(client.list("30", "45", use_index="age")) == ["/p/2", "/p/3"]
    assert {value.decode() for _, value, _ in client.range_scan("A", "F", use_index="name")} == {"Ada", "Eve"}
    assert client.get("Max", use_index="name")[1] == b"Max"
    client.put("/p/3", "Moved", secondary_indexes={"name": "Moved"})
    with pytest.raises(KeyNotFound):
        client.get("Max", use_index="name")
    assert client.list("40", "45", use_index="age") == []


def test_a_secondary_index_keeps_its_order_on_one_shard(make_server):
    with connect(make_server(shards=1).address) as client:
        for n, name in enumerate(["d", "b", "a", "c"]):
            client.put(f"/{n}", name, secondary_indexes={"i": name})
        assert [value for _, value, _ in client.range_scan("", "", use_index="i")] == [b"a", b"b", b"c", b"d"]
        assert client.get("bb", use_index="i", comparison_type=ComparisonType.FLOOR)[1] == b"b"
        assert client.get("bb", use_index="i", comparison_type=ComparisonType.CEILING)[1] == b"c"
        assert client.get("b", use_index="i", comparison_type=ComparisonType.LOWER)[1] == b"a"
        assert client.get("b", use_index="i", comparison_type=ComparisonType.HIGHER)[1] == b"c"


@shards
def test_ephemeral_records_end_with_their_client(make_server, shards):
    address = make_server(shards=shards).address
    with connect(address) as watcher:
        with connect(address, client_identifier="me", session_timeout_ms=10_000) as client:
            for n in range(20):
                _, version = client.put(f"/e/{n}", "x", ephemeral=True)
                assert version.is_ephemeral() and version.client_identity() == "me" and version.session_id() is not None
            client.put("/e/0", "kept")
            assert len(watcher.list("/e/", "/e//")) == 20
            assert watcher.get("/e/1")[2].is_ephemeral() and not watcher.get("/e/0")[2].is_ephemeral()
        eventually(lambda: watcher.list("/e/", "/e//") == ["/e/0"], "the end of the ephemeral records")


def test_the_first_ephemeral_put_of_a_fresh_shard_has_version_1(make_server):
    with connect(make_server(shards=1).address) as client:
        assert client.put("/a", "x", ephemeral=True)[1].version_id() == 1


@shards
def test_heartbeats_keep_ephemeral_records(make_server, shards):
    address = make_server(shards=shards).address
    with connect(address, session_timeout_ms=3000) as client, connect(address) as watcher:
        client.put("/kept", "x", ephemeral=True)
        deadline = time.monotonic() + 7   # more than two timeouts
        while time.monotonic() < deadline:
            assert watcher.get("/kept")[2].is_ephemeral()
            time.sleep(0.2)


@shards
def test_notifications(client):
    notifications = client.get_notifications()
    collector = Collector(notifications)
    client.put("/a", "1")
    client.put("/a", "2")
    client.delete("/a")
    seen = collector.wait_for(lambda seen: len(seen) >= 3, "three notifications")
    assert [(n.key(), n.notification_type()) for n in seen] == [
        ("/a", NotificationType.KEY_CREATED), ("/a", NotificationType.KEY_MODIFIED), ("/a", NotificationType.KEY_DELETED)]
    assert [n.version_id() for n in seen] == [0, 1, 0]
    client.delete_range("/b", "/c", partition_key="p")
    ranged = collector.wait_for(lambda seen: len(seen) >= 4, "the range's notification")[3]
    assert (ranged.notification_type(), ranged.key(), ranged.key_range_end()) == (NotificationType.KEY_RANGE_DELETED, "/b", "/c")
    notifications.close()


@shards
def test_notifications_of_all_shards_reach_every_subscriber(client):
    collectors = [Collector(client.get_notifications()) for _ in range(3)]
    keys = {f"/k/{uuid.UUID(int=n)}" for n in range(300)}
    for key in keys:
        client.put(key, "x")
    for collector in collectors:
        seen = collector.wait_for(lambda seen: len(seen) >= 300, "300 notifications")
        assert {n.key() for n in seen} == keys and {n.notification_type() for n in seen} == {NotificationType.KEY_CREATED}
    for collector in collectors:
        collector.source.close()


@shards
def test_large_values(client):
    value = bytes(range(256)) * 4096 * 3   # 3 MiB: below what the client's gRPC takes by default
    client.put("/large", value)
    assert client.get("/large")[1] == value
    assert next(iter(client.range_scan("/large", "/largf")))[1] == value


@shards
def test_a_client_goes_on_after_the_server_was_killed_and_came_back(make_server, shards):
    server = make_server(shards=shards)
    # Never closed: once the client's stream of assignments was renewed, its close() waits forever for the thread that
    # reads them, which waits at the barrier of its start again. The thread is a daemon and ends with the tests.
    client = connect(server.address)
    for n in range(100):
        client.put(f"/k/{n:03}", f"v{n}", secondary_indexes={"i": f"{n:03}"})
    server.kill()
    server.start()
    eventually(lambda: reachable(client), "the client's connection")
    assert client.list("/k/", "/k//") == [f"/k/{n:03}" for n in range(100)]
    assert [value for _, value, _ in client.range_scan("/k/", "/k//")] == [f"v{n}".encode() for n in range(100)]
    assert len(client.list("", "", use_index="i")) == 100
    assert client.put("/k/000", "again")[1].modifications_count() == 1


def reachable(client):
    import grpc
    try:
        client.list("/k/", "/k//")
        return True
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        return False


@shards
def test_many_threads_write_through_one_client(client):
    def work(worker):
        for n in range(100):
            client.put(f"/t/{worker}/{n:03}", str(n))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(client.list(f"/t/{worker}/", f"/t/{worker}//")) == 100 for worker in range(8))


def test_an_unknown_namespace_is_refused_by_the_server(make_server):
    from oxia.internal.connection_pool import ConnectionPool
    from oxia.internal.proto.io.streamnative.oxia import proto
    import grpc
    pool = ConnectionPool()
    stub = pool.get(make_server(shards=1).address)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.get_shard_assignments(proto.ShardAssignmentsRequest(namespace="nowhere")))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    pool.close()
