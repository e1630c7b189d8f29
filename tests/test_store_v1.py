# SPDX-License-Identifier: Apache-2.0
"""skerry.store.v1 from outside: writes that happen once, batches that are whole or nothing, records that go, walks in pages, and
followers that are told what they missed."""

import json
import subprocess

import grpc
import pytest

from support.protocol import (CREATED, DELETED, KEY_NOT_FOUND, OK, RANGE_DELETED, UNEXPECTED_VERSION_ID, failure_of, oxia, v1)
from support.server import PROGRAM, eventually


def request_id(sequence, client=b"tests"):
    return v1.RequestId(client=client, sequence=sequence)


def put(key, value=b"", **fields):
    return v1.Put(key=key, value=value if isinstance(value, bytes) else value.encode(), **fields)


def write(store, *puts, shard=0, **fields):
    return store.v1.Write(v1.WriteRequest(shard=shard, puts=puts, **fields), timeout=store.timeout)


def exists(key):
    return v1.Guard(key=key, exists=True)


def absent(key):
    return v1.Guard(key=key, exists=False)


def of_version(key, version):
    return v1.Guard(key=key, version_id=version)


def batch(store, *operations, guards=(), shard=0, **fields):
    """Operations are puts, keys to delete, and (start, end) to delete."""
    request = v1.BatchRequest(shard=shard, guards=guards, **fields)
    for each in operations:
        if isinstance(each, v1.Put):
            request.operations.add(put=each)
        elif isinstance(each, tuple):
            request.operations.add(delete_range=oxia.DeleteRangeRequest(start_inclusive=each[0], end_exclusive=each[1]))
        else:
            request.operations.add(delete=oxia.DeleteRequest(key=each))
    return store.v1.Batch(request, timeout=store.timeout)


def page(store, start="", end="", shard=0, **fields):
    """Keys of one page and the token of the next."""
    replies = list(store.v1.List(v1.ListRequest(shard=shard, start_inclusive=start, end_exclusive=end, **fields),
                                 timeout=store.timeout))
    return [key for reply in replies for key in reply.keys], replies[-1].next_page_token if replies else ""


def pages(store, start="", end="", **fields):
    keys, token = page(store, start, end, **fields)
    found = [keys]
    while token:
        keys, token = page(store, start, end, page_token=token, **fields)
        found.append(keys)
    return found


def follow(store, shard=0, after=None, prefixes=()):
    return store.v1.GetNotifications(v1.NotificationsRequest(shard=shard, start_offset_exclusive=after, key_prefixes=prefixes),
                                     timeout=store.timeout)


# --- request ids

def test_a_retried_write_happens_once(store):
    first = write(store, put("/a", "1", expected_version_id=-1), request_id=request_id(1))
    again = write(store, put("/a", "1", expected_version_id=-1), request_id=request_id(1))
    assert first == again
    assert first.puts[0].status == OK
    assert store.get("/a").version.modifications_count == 0
    assert write(store, put("/a", "2", expected_version_id=-1)).puts[0].status == UNEXPECTED_VERSION_ID


def test_a_refusal_is_remembered_too_and_across_a_restart(server):
    with server.connect() as store:
        assert write(store, put("/a", expected_version_id=5), request_id=request_id(1)).puts[0].status == UNEXPECTED_VERSION_ID
        made = write(store, put("/n", partition_key="p", sequence_key_delta=[3]), request_id=request_id(2))
    server.kill()
    server.start()
    with server.connect() as store:
        assert write(store, put("/a", expected_version_id=5), request_id=request_id(1)).puts[0].status == UNEXPECTED_VERSION_ID
        assert write(store, put("/n", partition_key="p", sequence_key_delta=[3]), request_id=request_id(2)) == made
        assert store.list("/n-", "/n.") == [made.puts[0].key]


def test_an_id_belongs_to_one_request(store):
    write(store, put("/a"), request_id=request_id(1))
    refused = failure_of(lambda: write(store, put("/a"), put("/b"), request_id=request_id(1)))
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.domain, refused.reason) == ("skerry.store.v1", "INVALID_REQUEST")
    assert "already used for a request with other operations" in refused.text
    assert write(store, put("/b"), request_id=request_id(1, b"somebody else")).puts[0].status == OK


def test_an_outcome_too_old_is_not_guessed(store):
    for sequence in range(1025):
        write(store, put("/a"), request_id=request_id(sequence))
    refused = failure_of(lambda: write(store, put("/a"), request_id=request_id(0)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "OUTCOME_FORGOTTEN")


def test_a_stream_answers_repeated_writes_as_the_first_time(store):
    requests = [v1.WriteRequest(puts=[put("/s", str(i), expected_version_id=-1)], request_id=request_id(i // 2)) for i in range(4)]
    metadata = [("namespace", "default"), ("shard-id", "0")]
    replies = list(store.v1.WriteStream(iter(requests), metadata=metadata, timeout=store.timeout))
    assert [reply.puts[0].status for reply in replies] == [OK, OK, UNEXPECTED_VERSION_ID, UNEXPECTED_VERSION_ID]
    assert replies[0] == replies[1]


# --- atomic batches

def test_a_batch_takes_place_as_a_whole_in_its_order(store):
    store.put("/dir/x")
    answer = batch(store, ("/dir/", "/dir//"), put("/dir/y", "new"), "/nothing", guards=[absent("/lock"), exists("/dir/x")])
    assert [result.WhichOneof("result") for result in answer.results] == ["delete_range", "put", "delete"]
    assert answer.results[2].delete.status == KEY_NOT_FOUND
    assert store.list() == ["/dir/y"]


@pytest.mark.parametrize("guard, found", [(absent("/a"), 0), (of_version("/a", 7), 0), (exists("/gone"), None),
                                          (of_version("/gone", 7), None)])
def test_a_failed_guard_is_named_and_nothing_changes(store, guard, found):
    store.put("/a")
    answer = batch(store, put("/a", "2"), put("/b"), guards=[exists("/a"), guard])
    assert not answer.results
    assert answer.rejection.WhichOneof("failed") == "guard" and answer.rejection.guard == 1
    assert answer.rejection.key == guard.key
    assert (answer.rejection.found_version_id if answer.rejection.HasField("found_version_id") else None) == found
    assert store.list() == ["/a"]
    assert store.get("/a").value == b""


def test_a_failed_condition_of_an_operation_is_named_and_nothing_changes(store):
    answer = batch(store, put("/a"), put("/b", expected_version_id=3))
    assert answer.rejection.operation == 1 and answer.rejection.status == UNEXPECTED_VERSION_ID
    assert answer.rejection.key == "/b"
    assert store.list() == []


def test_a_retried_batch_happens_once_and_so_does_its_refusal(store):
    first = batch(store, put("/a"), guards=[absent("/a")], request_id=request_id(1))
    assert batch(store, put("/a"), guards=[absent("/a")], request_id=request_id(1)) == first
    refused = batch(store, put("/a"), guards=[absent("/a")], request_id=request_id(2))
    assert refused.rejection.guard == 0 and refused.HasField("rejection")
    store.delete("/a")
    assert batch(store, put("/a"), guards=[absent("/a")], request_id=request_id(2)) == refused
    assert store.list() == []


def test_a_batch_is_one_notification_with_deleted_ranges_first(store):
    store.put("/d/1")
    seen = follow(store)
    next(seen)
    batch(store, put("/d/2"), ("/d/", "/d//"), put("/d/3"))
    told = next(seen)
    assert [(entry.key, entry.value.type) for entry in told.notifications] == [("/d/", RANGE_DELETED), ("/d/3", CREATED)]
    seen.cancel()


def test_a_batch_that_says_nothing_sensible_is_refused(store):
    request = v1.BatchRequest(shard=0)
    request.operations.add()
    assert "operation 0 is neither" in failure_of(lambda: store.v1.Batch(request)).text
    request = v1.BatchRequest(shard=0, guards=[v1.Guard(key="/a")])
    assert "guard 0 asks for nothing" in failure_of(lambda: store.v1.Batch(request)).text


# --- times to live

def test_a_record_goes_when_its_time_has_come_and_followers_hear_of_it(store):
    seen = follow(store)
    next(seen)
    version = write(store, put("/short", "x", time_to_live_ms=300), put("/long", time_to_live_ms=3_600_000)).puts[0].version
    assert version.expires_timestamp == version.modified_timestamp + 300
    assert store.get("/short").value == b"x"
    next(seen)
    told = next(seen)
    assert [(entry.key, entry.value.type) for entry in told.notifications] == [("/short", DELETED)]
    assert told.timestamp >= version.expires_timestamp
    assert store.list() == ["/long"]
    seen.cancel()


def test_a_plain_put_makes_a_record_stay_and_keep_expiry_does_not(store):
    write(store, put("/stays", time_to_live_ms=300), put("/goes", time_to_live_ms=300))
    store.put("/stays", "for good")   # through Oxia's service
    kept = write(store, put("/goes", "new", keep_expiry=True)).puts[0].version
    assert kept.HasField("expires_timestamp")
    eventually(lambda: store.list() == ["/stays"], "the record going")
    record = store.v1.Read(oxia.ReadRequest(shard=0, gets=[oxia.GetRequest(key="/stays")]))
    assert not next(record).gets[0].version.HasField("expires_timestamp")


def test_times_to_live_outlive_the_process(server):
    with server.connect() as store:
        write(store, put("/short", time_to_live_ms=500), put("/stays"))
    server.kill()
    server.start()
    with server.connect() as store:
        eventually(lambda: store.list() == ["/stays"], "the record going")


@pytest.mark.parametrize("millis", [0, 99, 2**63 - 1, 2**64 - 1])
def test_a_time_to_live_out_of_bounds_is_refused(store, millis):
    refused = failure_of(lambda: write(store, put("/a", time_to_live_ms=millis)))
    assert refused.reason == "INVALID_REQUEST" and "a time to live of" in refused.text


# --- walks

@pytest.mark.parametrize("shards", [1, 4])
def test_pages_are_a_walk_cut_in_pieces(make_server, shards):
    server = make_server(shards=shards)
    with server.connect() as store:
        for at in range(7):
            store.put(f"/k/{at}", indexes=[("i", str(at % 3))], shard=shards - 1)
        for reverse in (False, True):
            whole = sorted((f"/k/{at}" for at in range(7)), reverse=reverse)
            assert [key for keys in pages(store, limit=3, reverse=reverse, shard=shards - 1) for key in keys] == whole
            assert [len(keys) for keys in pages(store, limit=3, reverse=reverse, shard=shards - 1)] == [3, 3, 1]
            by_index = [key for keys in pages(store, limit=2, reverse=reverse, shard=shards - 1, secondary_index_name="i")
                        for key in keys]
            assert by_index == sorted(whole, key=lambda key: (int(key[-1]) % 3, key), reverse=reverse)
        assert [len(keys) for keys in pages(store, limit=7, shard=shards - 1)] == [7]


def test_a_scan_has_pages_too(store):
    for at in range(5):
        store.put(f"/k/{at}", str(at))
    replies = list(store.v1.RangeScan(v1.RangeScanRequest(shard=0, limit=2, reverse=True)))
    assert [record.value for reply in replies for record in reply.records] == [b"4", b"3"]
    token = replies[-1].next_page_token
    replies = list(store.v1.RangeScan(v1.RangeScanRequest(shard=0, reverse=True, page_token=token)))
    assert [record.key for reply in replies for record in reply.records] == ["/k/2", "/k/1", "/k/0"]


@pytest.mark.parametrize("fields, text", [(dict(page_token="?"), "no page token"), (dict(reverse=True), "another walk"),
                                          (dict(end="/z"), "another walk"),
                                          (dict(include_internal_keys=True), "internal keys goes forward")])
def test_a_page_token_is_taken_for_its_own_walk_only(store, fields, text):
    store.put("/a")
    store.put("/b")
    token = page(store, limit=1)[1]
    refused = failure_of(lambda: page(store, **{"page_token": token, **fields}))
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT and text in refused.text


# --- followers

def test_a_follower_hears_of_its_prefixes_only(store):
    seen = follow(store, prefixes=["/mine/", "/ours/"])
    next(seen)
    store.put("/theirs/1")
    store.put("/mine/1")
    batch(store, put("/theirs/2"), put("/ours/1"))
    assert [entry.key for entry in next(seen).notifications] == ["/mine/1"]
    assert [entry.key for entry in next(seen).notifications] == ["/ours/1"]
    store.delete_range("/theirs/", "/theirs//")
    assert next(seen).notifications[0].value.type == RANGE_DELETED
    seen.cancel()


def test_a_follower_may_ask_for_64_prefixes(store):
    prefixes = [f"/{n}/" for n in range(65)]
    seen = follow(store, prefixes=prefixes[1:])
    next(seen)
    store.put("/64/a")
    assert [entry.key for entry in next(seen).notifications] == ["/64/a"]
    seen.cancel()
    refused = failure_of(lambda: next(follow(store, prefixes=prefixes)))
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED and "at most 64" in refused.text


def test_a_filtered_follower_learns_how_far_nothing_concerned_it(store):
    for at in range(1000):
        store.put("/theirs", str(at))
    seen = follow(store, after=-1, prefixes=["/mine"])
    told = next(seen)
    assert not told.notifications and not told.HasField("gap") and told.offset > 900
    seen.cancel()


# --- who knows nothing of it

def test_oxias_clients_see_nothing_of_it(store):
    store.put("/plain")
    batch(store, put("/plain"), guards=[exists("/plain")], request_id=request_id(1))
    write(store, put("/ttl", "v", time_to_live_ms=3_600_000), request_id=request_id(2))
    shown = [key for key in store.list(internal=True) if not key.startswith("__oxia/")]
    assert shown == ["/plain", "/ttl"]
    assert not [key for key in store.list(internal=True) if "tests" in key or "/ttl" in key[1:]]
    assert store.get("/ttl").value == b"v"


def test_wrong_shards_are_told_as_in_oxias_service(store):
    refused = failure_of(lambda: write(store, put("/a"), shard=99))
    assert (refused.domain, refused.reason) == ("oxia.io", "SHARD_NOT_FOUND")
    assert "names no shard" in failure_of(lambda: store.v1.Write(v1.WriteRequest(puts=[put("/a")]))).text


# --- the client library, through the command line

def test_writes_of_the_client_happen_once_however_often_the_server_dies(make_server, tmp_path):
    server = make_server(shards=2)
    lines = "".join('{"key":"/once/%05d","value":"%s","expected_version":-1}\n' % (at, "x" * 200) for at in range(20_000))
    (tmp_path / "lines").write_text(lines)
    loader = subprocess.Popen([PROGRAM, "client", "-a", server.address, "put", "--json-lines", "--file", tmp_path / "lines"],
                              stderr=subprocess.PIPE, text=True)
    deaths = 0
    while loader.poll() is None and deaths < 5:
        seen = 0
        with server.connect() as store:
            seen = len(store.list("/once/", "/once//"))
            eventually(lambda: loader.poll() is not None or len(store.list("/once/", "/once//")) > seen, "progress")
        server.kill()
        server.start()
        deaths += 1
    assert deaths
    _, told = loader.communicate(timeout=60)
    assert loader.returncode == 0, told   # a write done twice would have met its own first outcome: unexpected version id
    assert "20000 records written, 0 failed" in told
    with server.connect() as store:
        versions = [record.version for shard in range(2) for record in store.scan("/once/", "/once//", shard=shard)]
        assert len(versions) == 20_000 and not any(version.modifications_count for version in versions)


@pytest.fixture
def client(make_server):
    """The command line against a store of four shards."""
    server = make_server(shards=4)

    def run(*arguments, status=0, text=None):
        done = subprocess.run([PROGRAM, "client", "-a", server.address, *arguments], input=text, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == status, done.stderr
        done.out_lines = lambda: [json.loads(line) for line in done.stdout.splitlines()]
        return done

    return run


def test_the_command_line_pages_through_all_shards_in_both_directions(client):
    lines = "".join('{"key":"/k/%02d","value":"v%02d","indexes":{"i":"%d"}}\n' % (at, at, at % 4) for at in range(30))
    client("put", "--json-lines", text=lines)
    keys = [f"/k/{at:02}" for at in range(30)]
    by_index = sorted(keys, key=lambda key: (int(key[-2:]) % 4, key))
    for flags, whole in (([], keys), (["--reverse"], keys[::-1]), (["--index", "i"], by_index),
                         (["--index", "i", "--reverse"], by_index[::-1])):
        seen, token = [], None
        while token != "":
            out = client("list", "--limit", "7", "-o", "json", *flags, *(["--page-token", token] if token else [])).out_lines()
            token = out.pop().get("next_page_token", "") if "next_page_token" in out[-1] else ""
            seen += [line["key"] for line in out]
        assert seen == whole
    assert client("range-scan", "--limit", "1").stderr.startswith("There is more: --page-token ")
    assert "another walk" in client("list", "--reverse", "--page-token", client("list", "--limit", "1").stderr.split()[-1],
                                    status=2).stderr


def test_the_command_line_commits_batches(client):
    client("batch", "-p", "jobs", "--if-absent", "/jobs/1", "--put", "/jobs/1=anna", "--delete", "/none")
    refused = client("batch", "-p", "jobs", "--if-absent", "/jobs/1", "--put", "/jobs/1=ben", status=4)
    assert refused.stderr == "Error: nothing was changed: condition 0 failed: /jobs/1 is of version 0\n"
    assert client("get", "-p", "jobs", "/jobs/1").stdout == "anna\n"
    told = client("batch", "-p", "jobs", "-o", "json", "--if-version", "/jobs/1=7", "--put", "/jobs/1=ben", status=4).out_lines()
    assert told == [{"applied": False, "condition": 0, "key": "/jobs/1", "found_version_id": 0}]
    lines = '{"if":"/jobs/1","exists":true}\n\n{"delete_range":["/jobs/","/jobs//"]}\n{"put":"/jobs/2","value":"x","ttl":"1h"}\n'
    told = client("batch", "-p", "jobs", "-o", "json", "-c", text=lines).out_lines()[0]
    assert told["applied"] and "expires_timestamp" in told["results"][1]
    assert client("list", "-s", "/jobs/", "-e", "/jobs//").stdout == "/jobs/2\n"


@pytest.mark.parametrize("line, text", [("x", "line 1: not JSON"), ('{"put":"/a"}', 'expected "value" or "value_base64"'),
                                        ('{"if":"/a"}', "a condition asks for"), ('{"delete":"/a","x":1}', "unknown field"),
                                        ('{"delete_range":"/a"}', "must be two keys"), ("{}", 'expected "if"'), ("", "is empty")])
def test_the_command_line_says_what_is_wrong_with_a_batch(client, line, text):
    assert text in client("batch", "-c", text=line, status=2).stderr


def test_the_command_line_says_that_keys_live_apart(client):
    puts = [word for at in range(20) for word in ("--put", f"/k/{at}=v")]
    assert "an atomic batch is within one shard" in client("batch", *puts, status=2).stderr


def test_the_command_line_sets_and_keeps_times_to_live(client):
    first = client("put", "/a", "1", "--ttl", "1h", "-o", "json").out_lines()[0]
    kept = client("put", "/a", "2", "--keep-ttl", "-o", "json").out_lines()[0]
    assert kept["expires_timestamp"] == first["expires_timestamp"]
    assert "expires_timestamp" not in client("put", "/a", "3", "-o", "json").out_lines()[0]
    assert "time to live must be between" in client("put", "/a", "1", "--ttl", "1ms", status=2).stderr
