# SPDX-License-Identifier: Apache-2.0
"""The stream of writes that current clients use, and the two names of the service."""

import threading

import grpc
import pytest

from support.protocol import CURRENT, LEGACY, OK, UNEXPECTED_VERSION_ID, failure_of, oxia, put


def test_answers_come_in_the_order_of_the_requests(store):
    requests = [oxia.WriteRequest(shard=0, puts=[put(f"/k{n % 7}", str(n))]) for n in range(3000)]
    answers = list(store.write_stream(requests))
    assert [answer.puts[0].version.version_id for answer in answers] == list(range(3000))
    assert store.get("/k0").value == b"2996"


def test_refused_operations_keep_their_place_and_the_stream_goes_on(store):
    requests = [oxia.WriteRequest(shard=0, puts=[put("/a", str(n), expected_version_id=-1)]) for n in range(10)]
    assert [answer.puts[0].status for answer in store.write_stream(requests)] == [OK] + [UNEXPECTED_VERSION_ID] * 9


def test_an_acknowledged_write_can_be_read_at_once(store):
    ready = threading.Semaphore(0)

    def requests():
        for n in range(50):
            yield oxia.WriteRequest(shard=0, puts=[put("/a", str(n))])
            ready.acquire()

    for n, _ in enumerate(store.write_stream(requests())):
        assert store.get("/a").value == str(n).encode()
        ready.release()


def test_requests_of_a_stream_need_not_repeat_the_shard(store):
    answers = list(store.write_stream([oxia.WriteRequest(puts=[put("/a", b"1")])]))
    assert answers[0].puts[0].status == OK


def test_an_empty_stream_ends_well(store):
    assert list(store.write_stream([])) == []


def test_streams_of_several_shards_run_side_by_side(make_server):
    with make_server(shards=4).connect() as store:
        def run(shard, answers):
            requests = [oxia.WriteRequest(shard=shard, puts=[put(f"/{shard}/{n}", b"x")]) for n in range(500)]
            answers.extend(store.write_stream(requests, shard=str(shard)))

        answers = [[] for _ in range(4)]
        threads = [threading.Thread(target=run, args=(shard, answers[shard])) for shard in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(a) for a in answers] == [500] * 4
        assert [len(store.list(shard=shard)) for shard in range(4)] == [500] * 4


@pytest.mark.parametrize("namespace, shard, word", [
    (None, "0", "namespace"), ("default", None, "shard"), ("default", "zero", "shard"), ("default", "99", "shard")])
def test_a_stream_with_wrong_headers_is_refused_with_the_reason(store, namespace, shard, word):
    failure = failure_of(lambda: store.write_stream([oxia.WriteRequest(puts=[put("/a")])], namespace, shard))
    assert word in failure.text.lower()
    assert store.get("/a").status != OK


def test_a_malformed_request_ends_the_stream_after_the_answers_before_it(store):
    stream = store.write_stream([oxia.WriteRequest(puts=[put("/a")]), b"\xff\xff\xff\xff\xff", oxia.WriteRequest(puts=[put("/b")])])
    answers = []
    with pytest.raises(grpc.RpcError) as error:
        for answer in stream:
            answers.append(answer)
    assert error.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)
    assert len(answers) <= 1
    assert store.get("/b").status != OK


@pytest.mark.parametrize("name", [CURRENT, LEGACY])
def test_both_names_of_the_service_answer(server, name):
    with server.connect(service=name) as store:
        assert store.put("/a", b"1").status == OK
        assert list(store.write_stream([oxia.WriteRequest(puts=[put("/b", b"2")])]))[0].puts[0].status == OK
        assert store.list() == ["/a", "/b"] and len(store.scan()) == 2
        assert store.get("/b").value == b"2"
        session = store.create_session()
        store.keep_alive(session)
        store.close_session(session)
        assert next(iter(store.notifications())).shard == 0
        store.put("s", partition_key="p", sequence_key_delta=[1])
        assert next(iter(store.sequence_updates("s"))).highest_sequence_key == f"s-{1:020}"


@pytest.mark.parametrize("method", ["/io.oxia.proto.v1.OxiaClient/Nothing", "/nobody.Service/Write", "/nothing"])
def test_a_method_that_is_not_there_is_said_to_be_unimplemented(store, method):
    call = store.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    failure = failure_of(lambda: call(b"", timeout=10))
    assert failure.code == grpc.StatusCode.UNIMPLEMENTED
