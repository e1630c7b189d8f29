# SPDX-License-Identifier: Apache-2.0
"""What a client learns before its first request: where shards are, and whether the server is well."""

import grpc
import pytest

from support.protocol import failure_of, health

SERVING = 1


@pytest.mark.parametrize("shards", [1, 3, 4, 16])
def test_the_shards_of_a_namespace_cover_every_hash_once(make_server, shards):
    server = make_server(shards=shards)
    with server.connect() as store:
        namespaces = next(iter(store.assignments())).namespaces
    assert list(namespaces) == ["default"] and namespaces["default"].shard_key_router == 1
    assignments = sorted(namespaces["default"].assignments, key=lambda a: a.shard)
    assert [a.shard for a in assignments] == list(range(shards))
    bucket = (2**32 - 1) // shards + 1
    for n, assignment in enumerate(assignments):
        hashes = assignment.int32_hash_range
        assert hashes.min_hash_inclusive == n * bucket
        assert hashes.max_hash_inclusive == (2**32 - 1 if n == shards - 1 else (n + 1) * bucket - 1)


def test_every_shard_is_led_by_the_address_that_the_client_used(server):
    for name in ("127.0.0.1", "localhost"):
        address = f"{name}:{server.port}"
        with server.connect(options=[("grpc.default_authority", address)]) as store:
            namespaces = next(iter(store.assignments())).namespaces
            assert {a.leader for a in namespaces["default"].assignments} == {address}


def test_no_name_means_the_default_namespace(store):
    answer = next(iter(store.assignments("")))
    assert list(answer.namespaces) == ["default"]


def test_an_unknown_namespace_is_said_to_be_so(store):
    failure = failure_of(lambda: store.assignments("nowhere"))
    assert (failure.code, failure.reason, failure.domain) == (grpc.StatusCode.NOT_FOUND, "NAMESPACE_NOT_FOUND", "oxia.io")


def test_the_stream_of_assignments_stays_open_until_the_server_stops(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        stream = store.assignments()
        next(stream)
        assert stream.is_active()
        assert server.stop() == 0
        assert failure_of(lambda: stream).code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED)


@pytest.mark.parametrize("service", ["", "oxia-readiness"])
def test_health_is_answered_and_watched(store, service):
    assert store.check_health(service) == SERVING
    watch = store.health.Watch(health.HealthCheckRequest(service=service), timeout=20)
    assert next(iter(watch)).status == SERVING
    watch.cancel()


def test_the_health_of_an_unknown_service_is_not_found(store):
    assert failure_of(lambda: store.check_health("nobody")).code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("call", ["put", "get", "list", "create_session", "notifications"])
def test_a_shard_that_is_not_there_has_its_reason(store, call):
    arguments = {"put": ("/a",), "get": ("/a",)}.get(call, ())
    failure = failure_of(lambda: getattr(store, call)(*arguments, shard=42))
    assert failure.domain == "oxia.io" and failure.reason in ("SHARD_NOT_FOUND", "NODE_IS_NOT_LEADER"), failure
    assert failure.code == {"SHARD_NOT_FOUND": grpc.StatusCode.NOT_FOUND}.get(failure.reason, grpc.StatusCode.ABORTED)
