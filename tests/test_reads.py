# SPDX-License-Identifier: Apache-2.0
"""Gets by comparison, lists, scans, secondary indexes, the order of keys, and how large answers are cut."""

import grpc
import pytest

from support.protocol import CEILING, EQUAL, FLOOR, HIGHER, KEY_NOT_FOUND, LOWER, OK, failure_of, oxia, put

# Each before the next: shallower first, then bytes with '/' highest.
ORDERED = ["a", "aaaaa", "b", "a/", "/", "/a", "/b", "/z", "//", "/aaaa/bbbbbbbbbb", "/a/", "/a/a-1", "/a/a-2", "/a//", "/b/c",
           "/aaaa/a/a", "/a/b/a", "/a/b/a/b", "/a/b/a/a/a"]


def hierarchical(key):
    """The order of keys as the protocol tells it, which the list above must agree with."""
    count = key.count("/") - (1 if key.endswith("//") else 0)
    return min(count, 32767).to_bytes(2, "big") + key.encode().replace(b"/", b"\xff")


def fill(store, keys):
    store.write(0, puts=[put(key, f"value of {key}") for key in keys])


def test_keys_are_listed_in_hierarchical_order(store):
    fill(store, reversed(ORDERED))
    assert store.list() == ORDERED == sorted(ORDERED, key=hierarchical)


@pytest.mark.parametrize("lower, higher", [
    ("/", "/a"), ("/a", "/b"), ("/b", "//"), ("//", "/a/a-1"), ("/a/a-1", "/a//"), ("/a//", "/b/c"), ("/a", "/a/"), ("/a/", "/a//"),
    ("/a/a-2", "/b/c"), ("/aaaa/bbbbbbbbbb", "/aaaa/a/a"), ("/a/b/a/b", "/a/b/a/a/a"), ("aaaaa", "/")])
def test_pairs_of_the_published_key_order(store, lower, higher):
    fill(store, [higher, lower])
    assert store.list() == [lower, higher]
    assert store.list(end=higher) == [lower] and store.list(start=higher) == [higher]


def test_a_folder_is_listed_from_its_slash_to_its_double_slash(store):
    fill(store, ["/xyz", "/xyz/1", "/xyz/2", "/xyz/2/deep", "/xyy/1", "/xyza/1"])
    assert store.list("/xyz/", "/xyz//") == ["/xyz/1", "/xyz/2"]


def test_a_namespace_can_sort_its_keys_by_their_bytes(make_server):
    server = make_server(shards=1, arguments=["--key-sorting", "natural"])
    with server.connect() as store:
        fill(store, ORDERED)
        assert store.list() == sorted(ORDERED)
        assert store.get("/a/a-1z", FLOOR).key == "/a/a-1"


@pytest.mark.parametrize("comparison, key, found", [
    (EQUAL, "/b", "/b"), (EQUAL, "/bb", None),
    (FLOOR, "/b", "/b"), (FLOOR, "/bb", "/b"), (FLOOR, "/A", None), (FLOOR, "/zzz", "/d"),
    (CEILING, "/b", "/b"), (CEILING, "/bb", "/d"), (CEILING, "/zzz", None), (CEILING, "/A", "/a"),
    (LOWER, "/b", "/a"), (LOWER, "/bb", "/b"), (LOWER, "/a", None), (LOWER, "/zzz", "/d"),
    (HIGHER, "/b", "/d"), (HIGHER, "/bb", "/d"), (HIGHER, "/d", None), (HIGHER, "/A", "/a")])
def test_gets_by_comparison(store, comparison, key, found):
    fill(store, ["/a", "/b", "/d"])
    got = store.get(key, comparison)
    if found is None:
        assert got.status == KEY_NOT_FOUND and not got.HasField("value")
        return
    assert got.status == OK and got.value == f"value of {found}".encode()
    assert got.HasField("key") == (comparison != EQUAL)
    assert comparison == EQUAL or got.key == found


def test_the_keys_of_the_store_itself_are_never_found_by_comparison(store):
    session = store.create_session()
    store.put("/a", session_id=session, indexes=[("i", "x")])
    assert store.get("/a", HIGHER).status == KEY_NOT_FOUND
    assert store.get("zzz/zzz/zzz", CEILING).status == KEY_NOT_FOUND
    assert store.get("\U0010ffff/\U0010ffff/\U0010ffff", FLOOR).key == "/a"


def test_a_get_without_value_answers_the_version_alone(store):
    version = store.put("/a", b"1").version
    got = store.get("/a", value=False)
    assert got.version == version and not got.HasField("value")
    assert store.get("/a", FLOOR, value=False).key == "/a"


def test_many_gets_are_answered_in_their_order(store):
    fill(store, [f"/k{n}" for n in range(0, 5000, 2)])
    gets = [oxia.GetRequest(key=f"/k{n}", include_value=True) for n in range(5000)]
    answers = store.read(0, gets)
    assert [a.status for a in answers] == [OK, KEY_NOT_FOUND] * 2500
    assert answers[4998].value == b"value of /k4998"


def test_answers_to_gets_are_cut_into_messages_of_about_2_mib(store):
    for n in range(12):
        store.put(f"/k{n}", bytes([n]) * (700 << 10))
    request = oxia.ReadRequest(shard=0, gets=[oxia.GetRequest(key=f"/k{n}", include_value=True) for n in range(12)])
    messages = list(store.calls.Read(request, timeout=30))
    assert len(messages) >= 4 and max(m.ByteSize() for m in messages) < 4 << 20
    assert [g.value[0] for m in messages for g in m.gets] == list(range(12))


def test_a_value_above_the_size_of_a_chunk_travels_alone(store):
    store.put("/a", b"1" * (3 << 20))
    store.put("/b", b"2" * (3 << 20))
    messages = list(store.calls.RangeScan(oxia.RangeScanRequest(shard=0), timeout=30))
    assert [len(m.records) for m in messages] == [1, 1]
    messages = list(store.calls.Read(oxia.ReadRequest(shard=0, gets=[oxia.GetRequest(key=k, include_value=True) for k in ("/a", "/b")]),
                                     timeout=30))
    assert [len(m.gets) for m in messages] == [1, 1]


def test_scans_are_cut_into_messages_of_at_most_1000_records(store):
    for start in range(0, 4000, 1000):
        store.write(0, puts=[put(f"/k{n:05}", b"x") for n in range(start, start + 1000)])
    messages = list(store.calls.RangeScan(oxia.RangeScanRequest(shard=0), timeout=30))
    assert max(len(m.records) for m in messages) <= 1000 and len(messages) >= 4
    assert [r.key for m in messages for r in m.records] == [f"/k{n:05}" for n in range(4000)]


def test_lists_are_cut_into_messages_of_about_2_mib(store):
    keys = [f"/{n:04}" + "k" * 20_000 for n in range(300)]
    for start in range(0, 300, 100):
        store.write(0, puts=[put(key) for key in keys[start:start + 100]])
    messages = list(store.calls.List(oxia.ListRequest(shard=0), timeout=30))
    assert len(messages) >= 3 and max(m.ByteSize() for m in messages) < 4 << 20
    assert [key for m in messages for key in m.keys] == keys


@pytest.mark.parametrize("start, end, found", [
    ("", "", "abcde"), ("/b", "", "bcde"), ("", "/d", "abc"), ("/b", "/d", "bc"), ("/b", "/b", ""), ("/d", "/b", ""),
    ("/bb", "/cc", "c"), ("/x", "", "")])
def test_ranges_take_their_start_and_leave_their_end(store, start, end, found):
    fill(store, [f"/{c}" for c in "abcde"])
    keys = [f"/{c}" for c in found]
    assert store.list(start, end) == keys
    records = store.scan(start, end)
    assert [r.key for r in records] == keys
    assert all(r.status == OK and r.value == f"value of {r.key}".encode() and r.version.modifications_count == 0 for r in records)


def test_a_secondary_index_lists_scans_and_gets_in_its_own_order(store):
    for n, colour in enumerate(["red", "blue", "green", "amber"]):
        store.put(f"/k{n}", f"value {n}", indexes=[("colour", colour)])
    assert store.list(index="colour") == ["/k3", "/k1", "/k2", "/k0"]
    assert store.list("b", "h", index="colour") == ["/k1", "/k2"]
    assert [(r.key, r.value) for r in store.scan("green", "", index="colour")] == [("/k2", b"value 2"), ("/k0", b"value 0")]
    assert store.list(index="nothing") == [] and store.scan(index="nothing") == []


@pytest.mark.parametrize("comparison, key, found", [
    (EQUAL, "green", ("/k2", "green")), (EQUAL, "pink", None), (FLOOR, "gray", ("/k1", "blue")), (FLOOR, "a", None),
    (CEILING, "c", ("/k2", "green")), (CEILING, "z", None), (LOWER, "green", ("/k1", "blue")), (HIGHER, "green", ("/k0", "red")),
    (HIGHER, "red", None)])
def test_gets_by_comparison_over_a_secondary_index(store, comparison, key, found):
    for n, colour in enumerate(["red", "blue", "green", "amber"]):
        store.put(f"/k{n}", f"value {n}", indexes=[("colour", colour)])
    got = store.get(key, comparison, index="colour")
    if found is None:
        assert got.status == KEY_NOT_FOUND
    else:
        assert (got.status, got.key, got.secondary_index_key) == (OK, *found)
        assert got.value == b"value " + found[0][-1:].encode()


def test_one_record_can_stand_in_an_index_several_times_and_many_under_one_key(store):
    store.put("/a", indexes=[("tag", "x"), ("tag", "y"), ("other", "x")])
    store.put("/b", indexes=[("tag", "x")])
    assert store.list(index="tag") == ["/a", "/b", "/a"]
    store.delete("/a")
    assert store.list(index="tag") == ["/b"] and store.list(index="other") == []


@pytest.mark.parametrize("primary, secondary", [("/a b/ü%2F", "x/y z"), ("k\x01l", "s\x01t"), ("/a", ""), ("a%01b", "%")])
def test_awkward_characters_in_indexed_keys(store, primary, secondary):
    store.put(primary, b"v", indexes=[("i", secondary)])
    assert store.list(index="i") == [primary]
    got = store.get(secondary, index="i")
    assert (got.key, got.secondary_index_key, got.value) == (primary, secondary, b"v")


def test_the_keys_of_the_store_itself_are_shown_on_request_behind_all_others(store):
    session = store.create_session()
    store.put("/a", session_id=session, indexes=[("colour", "red")])
    store.put("zzz/zzz/zzz")
    assert store.list() == ["/a", "zzz/zzz/zzz"]
    shown = store.list(internal=True)
    assert shown[:2] == ["/a", "zzz/zzz/zzz"]
    assert all(key.startswith("__oxia/") for key in shown[2:])
    assert any(key.startswith("__oxia/session/") for key in shown[2:])
    assert any(key.startswith("__oxia/idx/colour/red") for key in shown[2:])


def test_a_user_key_below_the_internal_prefix_is_hidden_like_the_others(store):
    assert store.put("__oxia/a-test", b"v").status == OK
    store.put("/a")
    assert store.get("__oxia/a-test").value == b"v"
    assert store.list() == ["/a"] and len(store.scan()) == 1
    shown = store.list(internal=True)
    assert shown[:2] == ["/a", "__oxia/a-test"] and len(shown) > 2 and shown[2].startswith("__oxia/")


@pytest.mark.parametrize("call", ["Read", "List", "RangeScan"])
def test_a_read_without_a_shard_is_refused(store, call):
    message = {"Read": oxia.ReadRequest(gets=[oxia.GetRequest(key="/a")]), "List": oxia.ListRequest(),
               "RangeScan": oxia.RangeScanRequest()}[call]
    failure = failure_of(lambda: getattr(store.calls, call)(message, timeout=10))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT and "shard" in failure.text


def test_a_scan_shows_the_state_at_its_beginning_while_writes_go_on(store):
    for start in range(0, 20_000, 1000):
        store.write(0, puts=[put(f"/k{n:06}", b"x" * 200) for n in range(start, start + 1000)])
    stream = store.calls.RangeScan(oxia.RangeScanRequest(shard=0), timeout=60)
    keys = [r.key for r in next(stream).records]
    store.delete_range("/k", "/l")
    store.write(0, puts=[put(f"/k{n:06}+", b"new") for n in range(100)])
    keys += [r.key for message in stream for r in message.records]
    assert keys == [f"/k{n:06}" for n in range(20_000)]


def test_a_reader_that_goes_away_in_the_middle_harms_nobody(store):
    for start in range(0, 10_000, 1000):
        store.write(0, puts=[put(f"/k{n:06}", b"x" * 1000) for n in range(start, start + 1000)])
    for _ in range(20):
        stream = store.calls.RangeScan(oxia.RangeScanRequest(shard=0), timeout=30)
        next(stream)
        stream.cancel()
    assert len(store.list()) == 10_000
