# SPDX-License-Identifier: Apache-2.0
"""Keys that the shard makes: counters at the end of a prefix, and following the highest."""

import grpc
import pytest

from support.protocol import KEY_NOT_FOUND, OK, UNEXPECTED_VERSION_ID, failure_of, oxia, put

MAX = 2**64 - 1


def key(prefix, *parts):
    return prefix + "".join(f"-{part:020}" for part in parts)


def append(store, prefix, *deltas, **fields):
    return store.put(prefix, b"v", partition_key="p", sequence_key_delta=deltas, **fields)


def test_each_put_adds_its_delta_to_the_last_key(store):
    assert [append(store, "/log", delta).key for delta in (1, 1, 5, 1)] == [key("/log", n) for n in (1, 2, 7, 8)]
    assert store.list() == [key("/log", n) for n in (1, 2, 7, 8)]
    assert store.get(key("/log", 7)).value == b"v"


def test_several_deltas_make_several_parts(store):
    assert append(store, "s", 1, 10).key == key("s", 1, 10)
    assert append(store, "s", 1, 0).key == key("s", 2, 10)
    assert append(store, "s", 3, 7).key == key("s", 5, 17)


def test_a_new_part_begins_at_its_delta(store):
    append(store, "s", 4)
    assert append(store, "s", 1, 9).key == key("s", 5, 9)


def test_prefixes_count_apart_from_each_other(store):
    append(store, "s", 1)
    append(store, "s/t", 1)
    append(store, "s-x", 1)
    assert append(store, "s", 1).key == key("s", 2)


def test_puts_of_one_write_follow_each_other(store):
    puts = [put("s", str(n), partition_key="p", sequence_key_delta=[1]) for n in range(100)]
    assert [p.key for p in store.write(0, puts=puts).puts] == [key("s", n) for n in range(1, 101)]


def test_a_plain_put_answers_no_key(store):
    assert not store.put("/a").HasField("key")


def test_a_sequence_with_an_expected_version_is_refused(store):
    assert append(store, "s", 1, expected_version_id=0).status == UNEXPECTED_VERSION_ID
    assert append(store, "s", 1, expected_version_id=-1).status == UNEXPECTED_VERSION_ID
    assert store.list() == []


@pytest.mark.parametrize("deltas, partition", [([0], "p"), ([0, 1], "p"), ([1], None)])
def test_a_malformed_sequence_is_refused_and_the_shard_lives_on(store, deltas, partition):
    failure = failure_of(lambda: store.put("s", partition_key=partition, sequence_key_delta=deltas))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT and failure.text
    assert append(store, "s", 1).key == key("s", 1)


def test_fewer_deltas_than_the_last_key_has_parts_are_refused_and_the_shard_lives_on(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        append(store, "s", 1, 1)
        assert failure_of(lambda: append(store, "s", 1)).code == grpc.StatusCode.INVALID_ARGUMENT
        assert append(store, "s", 1, 1).key == key("s", 2, 2)
    server.kill()
    server.start()
    with server.connect() as store:
        assert append(store, "s", 1, 1).key == key("s", 3, 3)


def test_a_foreign_key_in_the_place_of_a_sequence_is_refused_and_the_shard_lives_on(store):
    store.put("s-zebra")
    store.put("s-0000000000000000000x")
    answered = None
    try:
        answered = append(store, "s", 1)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert answered is None or answered.key == key("s", 1)
    assert append(store, "t", 1).key == key("t", 1)


def test_a_counter_at_its_end_is_refused_instead_of_starting_again(store):
    assert append(store, "s", MAX - 1).key == key("s", MAX - 1)
    try:
        last = append(store, "s", 1).key
        assert last == key("s", MAX)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    failure = failure_of(lambda: append(store, "s", 2))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert key("s", 0) not in store.list() and key("s", 1) not in store.list()
    assert append(store, "t", 1).status == OK


def test_sequences_count_on_after_a_kill(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        for _ in range(5):
            append(store, "s", 1)
    server.kill()
    server.start()
    with server.connect() as store:
        assert append(store, "s", 1).key == key("s", 6)


def test_a_sequence_counts_on_from_the_highest_key_that_is_left(store):
    for _ in range(3):
        append(store, "s", 1)
    store.delete(key("s", 3))
    assert append(store, "s", 1).key == key("s", 3)


def test_a_follower_is_told_the_present_highest_key_and_then_later_ones(store):
    append(store, "s", 1)
    append(store, "s", 1)
    stream = store.sequence_updates("s")
    assert next(stream).highest_sequence_key == key("s", 2)
    append(store, "s", 1)
    assert next(stream).highest_sequence_key == key("s", 3)
    stream.cancel()


def test_a_follower_of_a_sequence_that_is_not_there_yet_waits_for_its_first_key(store):
    stream = store.sequence_updates("s")
    append(store, "other", 1)
    append(store, "s", 7)
    assert next(stream).highest_sequence_key == key("s", 7)
    stream.cancel()


def test_a_slow_follower_ends_with_the_latest_key(store):
    stream = store.sequence_updates("s")
    for _ in range(500):
        append(store, "s", 1)
    seen = []
    while not seen or seen[-1] != key("s", 500):
        seen.append(next(stream).highest_sequence_key)
    assert seen == sorted(seen)
    stream.cancel()


def test_a_missing_sequence_key_is_not_found(store):
    assert store.get(key("s", 1)).status == KEY_NOT_FOUND


def test_a_sequence_put_of_a_shard_that_is_not_there_says_so(store):
    failure = failure_of(lambda: store.calls.GetSequenceUpdates(oxia.GetSequenceUpdatesRequest(shard=77, key="s"), timeout=10))
    assert failure.code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ABORTED)
