# SPDX-License-Identifier: Apache-2.0
"""Server reflection with the published client of it: list, describe, and call with what was described."""

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from support.server import PROGRAM   # noqa: F401  (the fixtures' program)

SERVICES = {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
            "io.oxia.proto.v1.OxiaClient", "io.streamnative.oxia.proto.OxiaClient"}


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel


def method_of(channel, pool, service, name):
    """A callable made from nothing but what the server described."""
    method = pool.FindServiceByName(service).FindMethodByName(name)
    shape = ("stream" if method.client_streaming else "unary") + "_" + ("stream" if method.server_streaming else "unary")
    request = message_factory.GetMessageClass(method.input_type)
    call = getattr(channel, shape)(f"/{service}/{name}", request_serializer=request.SerializeToString,
                                   response_deserializer=message_factory.GetMessageClass(method.output_type).FromString)
    return lambda fields: call(json_format.ParseDict(fields, request()), timeout=20)


def test_it_lists_every_service(channel):
    assert SERVICES <= set(ProtoReflectionDescriptorDatabase(channel).get_services())


@pytest.mark.parametrize("service", ["io.oxia.proto.v1.OxiaClient", "io.streamnative.oxia.proto.OxiaClient"])
def test_a_client_that_knows_nothing_describes_and_calls(channel, service):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    write, read = method_of(channel, pool, service, "Write"), method_of(channel, pool, service, "Read")
    assert len(pool.FindServiceByName(service).methods) == 11
    assert write({"shard": 0, "puts": [{"key": "/a", "value": "aGk="}]}).puts[0].status == 0
    (answer,) = read({"shard": 0, "gets": [{"key": "/a", "includeValue": True}]})
    assert answer.gets[0].value == b"hi"


def test_all_that_is_listed_can_be_described(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = descriptor_pool.DescriptorPool(database)
    for name in database.get_services():
        assert pool.FindServiceByName(name).methods, name


def test_the_newer_version_speaks_the_same(channel):
    # Field for field the same messages; only the name of the service differs.
    call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                 request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                                 response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    (answer,) = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=20)
    assert SERVICES <= {service.name for service in answer.list_services_response.service}


def test_what_is_not_there_is_an_answer_and_the_stream_goes_on(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Thing"),
                reflection_pb2.ServerReflectionRequest(file_by_filename="oxia/client.proto")]
    first, second = stub.ServerReflectionInfo(iter(requests), timeout=20)
    assert first.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0] and "no.such.Thing" in first.error_response.error_message
    assert second.file_descriptor_response.file_descriptor_proto
