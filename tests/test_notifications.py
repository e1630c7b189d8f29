# SPDX-License-Identifier: Apache-2.0
"""The stream of a shard's changes."""

import threading

import grpc

from support.protocol import CREATED, DELETED, MODIFIED, RANGE_DELETED, failure_of, oxia, put


def changes(batch):
    return [(n.key, n.value.type) for n in batch.notifications]


def follow(store, **options):
    """A stream whose first, empty batch has come: what is written from now on will be seen."""
    stream = store.notifications(**options)
    first = next(stream)
    assert not first.notifications
    return stream, first.offset


def test_a_follower_without_a_start_gets_an_empty_batch_at_the_present_offset_first(store):
    store.put("/before")
    stream, offset = follow(store)
    store.put("/a")
    batch = next(stream)
    assert (batch.shard, batch.offset) == (0, offset + 1) and changes(batch) == [("/a", CREATED)]


def test_every_kind_of_change_is_told(store):
    stream, _ = follow(store)
    store.put("/a")
    store.put("/a")
    store.delete("/a")
    store.delete_range("/a", "/z")
    batches = [next(stream) for _ in range(4)]
    created, modified, deleted, ranged = [batch.notifications[0] for batch in batches]
    assert (created.key, created.value.type, created.value.version_id) == ("/a", CREATED, 0)
    assert (modified.key, modified.value.type, modified.value.version_id) == ("/a", MODIFIED, 1)
    assert (deleted.key, deleted.value.type, deleted.value.HasField("version_id")) == ("/a", DELETED, False)
    assert (ranged.key, ranged.value.type, ranged.value.key_range_last) == ("/a", RANGE_DELETED, "/z")
    assert all(b.timestamp > 1_500_000_000_000 for b in batches)
    assert [b.offset for b in batches] == list(range(batches[0].offset, batches[0].offset + 4))


def test_one_write_is_one_batch_sorted_by_key_where_the_last_operation_counts(store):
    stream, _ = follow(store)
    store.write(0, puts=[put("/c"), put("/a"), put("/b"), put("/a")], deletes=[oxia.DeleteRequest(key="/b")])
    batch = next(stream)
    assert [key for key, _ in changes(batch)] == ["/a", "/b", "/c"]
    assert dict(changes(batch))["/a"] in (CREATED, MODIFIED) and dict(changes(batch))["/b"] == DELETED
    assert next(n.value.version_id for n in batch.notifications if n.key == "/a") == 3


def test_refused_operations_are_not_told(store):
    stream, _ = follow(store)
    store.put("/a", expected_version_id=5)
    store.delete("/nothing")
    store.put("/b")
    assert changes(next(stream)) == [("/b", CREATED)]


def test_the_keys_of_the_store_itself_are_not_told(store):
    stream, _ = follow(store)
    session = store.create_session()
    store.put("/a", session_id=session, indexes=[("i", "x")])
    assert changes(next(stream)) == [("/a", CREATED)]


def test_keys_made_by_the_shard_are_told(store):
    stream, _ = follow(store)
    made = store.put("s", partition_key="p", sequence_key_delta=[1]).key
    assert changes(next(stream)) == [(made, CREATED)]


def test_a_follower_resumes_after_the_offset_it_names(store):
    stream, offset = follow(store)
    for n in range(10):
        store.put(f"/{n}")
    seen = [next(stream) for _ in range(10)]
    stream.cancel()
    resumed = store.notifications(after=seen[3].offset)
    assert [next(resumed) for _ in range(6)] == seen[4:]
    from_start = store.notifications(after=offset)
    assert [next(from_start) for _ in range(10)] == seen


def test_old_changes_can_be_read_again_after_a_kill(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        stream, offset = follow(store)
        for n in range(50):
            store.put(f"/{n}")
        seen = [next(stream) for _ in range(50)]
    server.kill()
    server.start()
    with server.connect() as store:
        resumed = store.notifications(after=offset)
        assert [next(resumed) for _ in range(50)] == seen
        store.put("/more")
        assert changes(next(resumed)) == [("/more", CREATED)]


def test_many_followers_see_the_same(store):
    streams = [follow(store)[0] for _ in range(20)]
    for start in range(0, 500, 5):
        store.write(0, puts=[put(f"/{n}") for n in range(start, start + 5)])
    seen = []
    threads = [threading.Thread(target=lambda s=stream: seen.append([next(s) for _ in range(100)])) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(batches == seen[0] for batches in seen) and len(seen) == 20


def test_a_follower_that_does_not_read_holds_up_nobody(store):
    stream, _ = follow(store)
    value = b"x" * 1000
    for start in range(0, 30_000, 1000):
        store.write(0, puts=[put(f"/a/rather/long/key/for/a/notification/{n:09}", value) for n in range(start, start + 1000)])
    total = 0
    while total < 30_000:
        total += len(next(stream).notifications)
    assert total == 30_000


def test_each_shard_tells_its_own_changes(make_server):
    with make_server(shards=2).connect() as store:
        streams = [follow(store, shard=shard)[0] for shard in (0, 1)]
        store.put("/zero", shard=0)
        store.put("/one", shard=1)
        assert [changes(next(stream)) for stream in streams] == [[("/zero", CREATED)], [("/one", CREATED)]]


def test_a_namespace_without_notifications_says_so(make_server):
    server = make_server(shards=1, arguments=["--notifications-enabled=false"])
    with server.connect() as store:
        store.put("/a")
        failure = failure_of(store.notifications)
        assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOTIFICATIONS_NOT_ENABLED")


def test_a_follower_sees_the_server_end(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        stream, _ = follow(store)
        server.stop()
        failure = failure_of(lambda: stream)
        assert failure.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED)
