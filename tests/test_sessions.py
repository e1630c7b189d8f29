# SPDX-License-Identifier: Apache-2.0
"""Sessions and the ephemeral records that live and die with them."""

import time

import grpc
import pytest

from support.protocol import (DELETED, KEY_NOT_FOUND, OK, SESSION_DOES_NOT_EXIST, failure_of, put)
from support.server import eventually


def gone(store, key):
    return lambda: store.get(key).status == KEY_NOT_FOUND


def test_the_put_after_a_session_was_made_gets_version_1(store):
    session = store.create_session()
    version = store.put("/a", session_id=session, client_identity="me").version
    assert (version.version_id, version.session_id, version.client_identity) == (1, session, "me")


def test_sessions_of_all_shards_have_ids_of_their_own(make_server):
    with make_server(shards=4).connect() as store:
        sessions = [store.create_session(shard=shard) for shard in range(4) for _ in range(3)]
        assert len(set(sessions)) == 12 and min(sessions) >= 0


@pytest.mark.parametrize("timeout_ms, good", [(0, False), (1, False), (1999, False), (2000, True), (300_000, True), (300_001, False),
                                              (4_294_967_295, False)])
def test_the_timeout_of_a_session_lies_between_2_seconds_and_5_minutes(store, timeout_ms, good):
    if good:
        store.keep_alive(store.create_session(timeout_ms))
    else:
        failure = failure_of(lambda: store.create_session(timeout_ms))
        assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SESSION_TIMEOUT")
        assert failure.domain == "oxia.io"


@pytest.mark.parametrize("call", ["keep_alive", "close_session"])
def test_an_unknown_session_is_said_to_be_so(store, call):
    failure = failure_of(lambda: getattr(store, call)(987654321))
    assert (failure.code, failure.reason, failure.domain) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND", "oxia.io")


def test_closing_a_session_deletes_its_records_and_no_others(store):
    session, other = store.create_session(), store.create_session()
    store.write(0, puts=[put(f"/mine/{n}", session_id=session, indexes=[("i", str(n))]) for n in range(300)])
    store.put("/theirs", session_id=other)
    store.put("/plain")
    store.close_session(session)
    assert store.list() == ["/plain", "/theirs"] and store.list(index="i") == []
    assert failure_of(lambda: store.close_session(session)).reason == "SESSION_NOT_FOUND"
    assert store.put("/a", session_id=session).status == SESSION_DOES_NOT_EXIST


def test_the_end_of_a_session_is_notified_as_deletions(store):
    session = store.create_session()
    store.put("/b", session_id=session)
    store.put("/a", session_id=session)
    stream = store.notifications()
    next(stream)
    store.close_session(session)
    batch = next(stream)
    assert [(n.key, n.value.type) for n in batch.notifications] == [("/a", DELETED), ("/b", DELETED)]


def test_a_silent_session_ends_with_its_records(store):
    session = store.create_session(2000)
    store.put("/a", session_id=session)
    began = time.monotonic()
    eventually(gone(store, "/a"), "the end of the session")
    assert time.monotonic() - began > 1.9
    assert failure_of(lambda: store.keep_alive(session)).reason == "SESSION_NOT_FOUND"


def test_heartbeats_keep_a_session_beyond_its_timeout(store):
    kept, silent = store.create_session(2000), store.create_session(2000)
    store.put("/kept", session_id=kept)
    store.put("/silent", session_id=silent)

    def beat():
        store.keep_alive(kept)
        return store.get("/silent").status == KEY_NOT_FOUND

    for _ in range(2):   # the second silent session begins when the first is over: twice the timeout at least
        eventually(beat, "the end of the silent session", every=0.1)
        silent = store.create_session(2000)
        store.put("/silent", session_id=silent)
    assert store.get("/kept").status == OK


def test_a_record_written_over_without_a_session_outlives_it(store):
    session = store.create_session()
    store.put("/a", b"1", session_id=session)
    store.put("/a", b"2")
    store.close_session(session)
    assert store.get("/a").value == b"2"


def test_a_record_written_over_by_another_session_follows_that_one(store):
    first, second = store.create_session(), store.create_session()
    store.put("/a", b"1", session_id=first)
    store.put("/a", b"2", session_id=second)
    store.close_session(first)
    assert store.get("/a").value == b"2"
    store.close_session(second)
    assert store.get("/a").status == KEY_NOT_FOUND


def test_a_record_deleted_and_made_again_outlives_the_session(store):
    session = store.create_session()
    store.put("/a", session_id=session)
    store.delete("/a")
    store.put("/a", b"2")
    store.put("/b", session_id=session)
    store.delete_range("/b", "/c")
    store.put("/b", b"3")
    store.close_session(session)
    assert [r.value for r in store.scan()] == [b"2", b"3"]


def test_a_record_can_become_ephemeral_later(store):
    store.put("/a", b"1")
    session = store.create_session()
    store.put("/a", b"2", session_id=session)
    store.close_session(session)
    assert store.get("/a").status == KEY_NOT_FOUND


def test_a_session_lives_on_after_a_kill_and_can_be_kept_and_closed(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        session = store.create_session(60_000, "me")
        store.put("/a", b"1", session_id=session, client_identity="me")
    server.kill()
    server.start()
    with server.connect() as store:
        store.keep_alive(session)
        assert store.get("/a").version.client_identity == "me"
        store.put("/b", b"2", session_id=session)
        store.close_session(session)
        assert store.list() == []


def test_a_session_whose_client_is_gone_ends_after_a_restart_too(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        store.put("/a", session_id=store.create_session(2000))
    server.kill()
    server.start()
    with server.connect() as store:
        eventually(gone(store, "/a"), "the end of the session")


def test_a_session_of_one_shard_is_unknown_to_another(make_server):
    with make_server(shards=2).connect() as store:
        session = store.create_session(shard=0)
        assert store.put("/a", shard=1, session_id=session).status == SESSION_DOES_NOT_EXIST
        assert failure_of(lambda: store.keep_alive(session, shard=1)).reason == "SESSION_NOT_FOUND"
