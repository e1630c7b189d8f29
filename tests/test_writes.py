# SPDX-License-Identifier: Apache-2.0
"""What a write does to records, versions and counters, seen on the wire."""

import time

import grpc
import pytest

from support.protocol import (EQUAL, KEY_NOT_FOUND, OK, SESSION_DOES_NOT_EXIST, UNEXPECTED_VERSION_ID, failure_of, oxia, put)


def version_of(store, key):
    return store.get(key).version.version_id


def test_the_first_put_of_a_shard_gets_version_0_and_no_modifications(store):
    before = int(time.time() * 1000) - 1
    version = store.put("/a", b"1").version
    assert (version.version_id, version.modifications_count) == (0, 0)
    assert version.created_timestamp == version.modified_timestamp
    assert before <= version.created_timestamp <= time.time() * 1000 + 1
    assert not version.HasField("session_id") and not version.HasField("client_identity")


def test_an_update_takes_the_next_version_and_keeps_the_time_of_creation(store):
    first = store.put("/a", b"1").version
    second = store.put("/a", b"2").version
    assert (second.version_id, second.modifications_count) == (1, 1)
    assert second.created_timestamp == first.created_timestamp
    assert second.modified_timestamp >= first.modified_timestamp
    got = store.get("/a")
    assert got.value == b"2" and got.version == second


def test_versions_count_successful_puts_of_all_keys_and_nothing_else(store):
    assert store.put("/a").version.version_id == 0
    assert store.put("/b").version.version_id == 1
    assert store.put("/a", expected_version_id=7).status == UNEXPECTED_VERSION_ID
    assert store.delete("/b") == OK
    assert store.delete_range("/x", "/y") == OK
    assert store.put("/c").version.version_id == 2


def test_a_record_made_again_after_its_deletion_counts_from_0(store):
    store.put("/a")
    store.put("/a")
    store.delete("/a")
    version = store.put("/a").version
    assert (version.version_id, version.modifications_count) == (2, 0)


def test_each_shard_has_versions_of_its_own(make_server):
    with make_server(shards=3).connect() as store:
        for shard in (0, 1, 2):
            assert [store.put(f"/{n}", shard=shard).version.version_id for n in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("expected, status", [(-1, UNEXPECTED_VERSION_ID), (0, OK), (1, UNEXPECTED_VERSION_ID), (None, OK)])
def test_a_conditional_put_of_an_existing_record(store, expected, status):
    store.put("/a", b"old")
    answer = store.put("/a", b"new", expected_version_id=expected)
    assert answer.status == status
    assert store.get("/a").value == (b"new" if status == OK else b"old")


@pytest.mark.parametrize("expected, status", [(-1, OK), (0, UNEXPECTED_VERSION_ID), (5, UNEXPECTED_VERSION_ID)])
def test_a_conditional_put_of_a_missing_record(store, expected, status):
    assert store.put("/a", b"new", expected_version_id=expected).status == status
    assert store.get("/a").status == (OK if status == OK else KEY_NOT_FOUND)


@pytest.mark.parametrize("expected, status", [(None, OK), (0, OK), (1, UNEXPECTED_VERSION_ID), (-1, UNEXPECTED_VERSION_ID)])
def test_a_conditional_delete_of_an_existing_record(store, expected, status):
    store.put("/a")
    assert store.delete("/a", expected_version_id=expected) == status
    assert store.get("/a").status == (KEY_NOT_FOUND if status == OK else OK)


@pytest.mark.parametrize("expected, status", [(None, KEY_NOT_FOUND), (-1, KEY_NOT_FOUND), (0, UNEXPECTED_VERSION_ID)])
def test_a_conditional_delete_of_a_missing_record(store, expected, status):
    assert store.delete("/a", expected_version_id=expected) == status


def test_a_write_does_its_puts_then_its_deletes_then_its_range_deletions(store):
    answer = store.write(0, puts=[put("/a", b"1"), put("/b", b"1"), put("/c", b"1")],
                         deletes=[oxia.DeleteRequest(key="/a"), oxia.DeleteRequest(key="/a")],
                         delete_ranges=[oxia.DeleteRangeRequest(start_inclusive="/b", end_exclusive="/c")])
    assert [p.status for p in answer.puts] == [OK, OK, OK]
    assert [d.status for d in answer.deletes] == [OK, KEY_NOT_FOUND]
    assert [d.status for d in answer.delete_ranges] == [OK]
    assert store.list() == ["/c"]


def test_later_operations_of_a_write_see_the_earlier_ones(store):
    answer = store.write(0, puts=[put("/a", b"1", expected_version_id=-1), put("/a", b"2", expected_version_id=-1),
                                  put("/a", b"3", expected_version_id=0), put("/b", b"4")])
    assert [p.status for p in answer.puts] == [OK, UNEXPECTED_VERSION_ID, OK, OK]
    assert [p.version.version_id for p in answer.puts if p.status == OK] == [0, 1, 2]
    assert store.get("/a").value == b"3" and store.get("/a").version.modifications_count == 1


def test_a_refused_operation_does_not_undo_the_others(store):
    store.put("/old", b"0")
    answer = store.write(0, puts=[put("/a", b"1"), put("/old", b"1", expected_version_id=9), put("/b", b"1")],
                         deletes=[oxia.DeleteRequest(key="/none"), oxia.DeleteRequest(key="/old")])
    assert [p.status for p in answer.puts] == [OK, UNEXPECTED_VERSION_ID, OK]
    assert [d.status for d in answer.deletes] == [KEY_NOT_FOUND, OK]
    assert store.list() == ["/a", "/b"]


def test_a_write_without_operations_is_answered_with_none(store):
    assert store.write(0) == oxia.WriteResponse()


def test_a_put_replaces_identity_and_indexes_of_the_record(store):
    session = store.create_session(identity="me")
    store.put("/a", b"1", session_id=session, client_identity="me", indexes=[("colour", "red")])
    got = store.get("/a").version
    assert (got.session_id, got.client_identity) == (session, "me")
    store.put("/a", b"2", indexes=[("size", "big")])
    got = store.get("/a").version
    assert not got.HasField("session_id") and not got.HasField("client_identity")
    assert store.list(index="colour") == [] and store.list(index="size") == ["/a"]


def test_a_put_for_an_unknown_session_is_refused(store):
    assert store.put("/a", session_id=123456).status == SESSION_DOES_NOT_EXIST
    assert store.get("/a").status == KEY_NOT_FOUND
    assert store.put("/a").version.version_id == 0


def test_a_version_given_by_the_writer_is_stored_and_the_count_goes_on(store):
    store.put("/a")
    version = store.put("/b", override_version_id=1000, override_modifications_count=7).version
    assert (version.version_id, version.modifications_count) == (1000, 7)
    assert store.get("/b").version == version
    assert store.put("/c").version.version_id == 1
    assert store.put("/b", expected_version_id=1000).status == OK


def test_a_range_deletion_takes_the_start_and_leaves_the_end(store):
    for key in ("/a", "/b", "/c", "/d"):
        store.put(key)
    assert store.delete_range("/b", "/d") == OK
    assert store.list() == ["/a", "/d"]


@pytest.mark.parametrize("start, end", [("/a", ""), ("", ""), ("/z", "/a"), ("/b", "/b"), ("/x", "/y")])
def test_a_range_deletion_of_nothing_deletes_nothing(store, start, end):
    for key in ("/a", "/b", "/c"):
        store.put(key)
    assert store.delete_range(start, end) == OK
    assert store.list() == ["/a", "/b", "/c"]


def test_a_range_deletion_goes_by_the_order_of_keys_which_puts_shallow_ones_first(store):
    for key in ("/a", "/b", "/a/1", "/a/2", "/b/1"):
        store.put(key)
    store.delete_range("/a/", "/a//")
    assert store.list() == ["/a", "/b", "/b/1"]


def test_a_range_deletion_of_many_records_also_ends_their_index_entries(store):
    for start in range(0, 3000, 500):
        store.write(0, puts=[put(f"/k/{n:05}", b"x", [("n", f"{n:05}")]) for n in range(start, start + 500)])
    assert len(store.list(index="n")) == 3000
    store.delete_range("/k/00100", "/k/02900")
    left = [f"/k/{n:05}" for n in (*range(100), *range(2900, 3000))]
    assert store.list() == left and store.list(index="n") == left


def test_a_record_deleted_within_a_range_can_be_made_again_with_another_index(store):
    store.put("/a", b"1", indexes=[("i", "x")])
    store.delete_range("/a", "/b")
    assert store.list(index="i") == []
    store.put("/a", b"2", indexes=[("i", "y")])
    assert [(r.key, r.value) for r in store.scan(index="i")] == [("/a", b"2")]


@pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), b"\xff" * 4096, b"v" * (5 << 20)],
                         ids=["empty", "zero byte", "all bytes", "4 KiB", "5 MiB"])
def test_values_come_back_as_they_were(store, value):
    assert store.put("/a", value).status == OK
    assert store.get("/a").value == value
    assert store.scan()[0].value == value


@pytest.mark.parametrize("key", ["a", "/", "//", "a/b/", "with space", "ключ/鍵", "\x01\x02", "/" * 300, "k" * 65536, "😀/😀"],
                         ids=lambda key: key[:12].encode("unicode_escape").decode())
def test_any_text_can_be_a_key(store, key):
    assert store.put(key, b"v").status == OK
    assert store.get(key, EQUAL).value == b"v"
    assert store.list() == [key]
    assert store.delete(key) == OK


def test_a_write_without_a_shard_is_refused(store):
    failure = failure_of(lambda: store.calls.Write(oxia.WriteRequest(puts=[put("/a")]), timeout=10))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT and "shard" in failure.text


def test_what_was_acknowledged_survives_a_kill(make_server):
    server = make_server(shards=2)
    with server.connect() as store:
        for shard in (0, 1):
            store.write(shard, puts=[put(f"/k{n}", f"v{n}-{shard}", [("i", str(n))]) for n in range(200)])
            store.delete("/k7", shard=shard)
            store.delete_range("/k10", "/k11", shard=shard)
    server.kill()
    server.start()
    with server.connect() as store:
        for shard in (0, 1):
            records = {record.key: record.value.decode() for record in store.scan(shard=shard)}
            assert records == {f"/k{n}": f"v{n}-{shard}" for n in range(200) if not (n == 7 or "/k10" <= f"/k{n}" < "/k11")}
            assert len(store.list(shard=shard, index="i")) == len(records)
            assert store.put("/new", shard=shard).version.version_id == 200
