# SPDX-License-Identifier: Apache-2.0
"""gRPC's Python client against our server: `rpc_echo_server`, which must be built (./dev build release rpc_echo_server)."""
import importlib
import os
import pathlib
import random
import subprocess
import sys
import time

import grpc
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SKERRY_BUILD", ROOT / "build/release"))
LARGE = 100 << 20


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """The messages of echo.proto."""
    folder = tmp_path_factory.mktemp("proto")
    subprocess.run(["protoc", f"--proto_path={ROOT}/src/rpc/testing", f"--python_out={folder}", "echo.proto"], check=True)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("echo_pb2")
    finally:
        sys.path.remove(str(folder))


class Server:
    """A running rpc_echo_server on a free port below those that the system gives to clients."""

    def __init__(self):
        program = BUILD / "tests/interop/rpc_echo_server"
        for _ in range(100):
            address = f"127.0.0.1:{random.randrange(20_000, 32_000)}"
            self.process = subprocess.Popen([program, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if self.process.stdout.readline():
                self.address = address
                return
            reason = self.process.communicate()[1]
            if "already in use" not in reason:
                raise RuntimeError(reason)
        raise RuntimeError("no free port")

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture
def server():
    server = Server()
    yield server
    assert server.stop() == 0


class Stub:
    def __init__(self, channel, echo):
        def method(kind, name, request, reply):
            return getattr(channel, kind)(f"/skerry.test.Echo/{name}", request_serializer=request.SerializeToString,
                                          response_deserializer=reply.FromString)
        self.unary = method("unary_unary", "Unary", echo.EchoRequest, echo.EchoReply)
        self.server_stream = method("unary_stream", "ServerStream", echo.EchoRequest, echo.EchoReply)
        self.client_stream = method("stream_unary", "ClientStream", echo.EchoRequest, echo.EchoReply)
        self.bidirectional = method("stream_stream", "Bidirectional", echo.EchoRequest, echo.EchoReply)
        self.slow_reader = method("stream_unary", "SlowReader", echo.EchoRequest, echo.EchoReply)
        self.statistics = method("unary_unary", "GetStatistics", echo.StatisticsRequest, echo.Statistics)


@pytest.fixture
def stub(server, echo):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        yield Stub(channel, echo)


def eventually(condition, seconds=20):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come about"


def cancelled(stub, echo):
    return stub.statistics(echo.StatisticsRequest(), timeout=10).cancelled


def test_unary_with_metadata_and_trailers(stub, echo):
    reply, call = stub.unary.with_call(echo.EchoRequest(text="hello"), timeout=10,
                                       metadata=(("shard-id", "7"), ("blob-bin", b"\0\xff")))
    assert reply.text == "hello" and reply.has_deadline
    assert reply.metadata["shard-id"] == b"7" and reply.metadata["blob-bin"] == b"\0\xff"
    assert dict(call.trailing_metadata())["echo-trailer-bin"] == b"\0\xff\x01"


def test_large_messages_in_both_directions(stub, echo):
    reply = stub.unary(echo.EchoRequest(payload=b"p" * LARGE), timeout=100)
    assert len(reply.payload) == LARGE


def test_streams_of_every_kind(stub, echo):
    replies = [reply.index for reply in stub.server_stream(echo.EchoRequest(replies=2000), timeout=60)]
    assert replies == list(range(2000))
    reply = stub.client_stream((echo.EchoRequest(text="x") for _ in range(2000)), timeout=60)
    assert reply.index == 2000
    texts = [reply.text for reply in stub.bidirectional((echo.EchoRequest(text=str(i)) for i in range(500)), timeout=60)]
    assert texts == [str(i) for i in range(500)]


def test_error_status_with_details(stub, echo):
    with pytest.raises(grpc.RpcError) as caught:
        stub.unary(echo.EchoRequest(status_code=9, status_message="100% wrong: né\n", error_reason="INVALID_TERM"), timeout=10)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "100% wrong: né\n"
    assert b"INVALID_TERM" in dict(caught.value.trailing_metadata())["grpc-status-details-bin"]


def test_deadline_cancels_the_handler(stub, echo):
    with pytest.raises(grpc.RpcError) as caught:
        stub.unary(echo.EchoRequest(delay_ms=60_000), timeout=0.1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: cancelled(stub, echo) == 1)


def test_cancellation_cancels_the_handler(stub, echo):
    call = stub.server_stream(echo.EchoRequest(replies=10, delay_ms=60_000), timeout=60)
    eventually(lambda: stub.statistics(echo.StatisticsRequest(), timeout=10).started == 1)
    call.cancel()
    eventually(lambda: cancelled(stub, echo) == 1)


def test_a_client_that_does_not_read_stops_the_handler(stub, echo):
    call = stub.server_stream(echo.EchoRequest(replies=2000, reply_bytes=64 << 10), timeout=100)
    next(call)

    def standing_still():
        counts = {stub.statistics(echo.StatisticsRequest(), timeout=10).messages_written for _ in range(50)}
        return len(counts) == 1 and counts.pop() > 1
    eventually(standing_still)
    assert stub.statistics(echo.StatisticsRequest(), timeout=10).messages_written < 1000
    assert sum(1 for _ in call) == 1999


def test_a_slow_handler_stops_the_client(stub, echo):
    sent = 0

    def requests():
        nonlocal sent
        for _ in range(400):
            sent += 1
            yield echo.EchoRequest(delay_ms=5, payload=b"p" * (64 << 10))
    call = stub.slow_reader.future(requests(), timeout=100)
    eventually(lambda: stub.statistics(echo.StatisticsRequest(), timeout=10).messages_read >= 10)
    assert sent < 200
    assert call.result().index == 400


def test_unknown_methods_and_compression_are_unimplemented(server, stub, echo):
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/skerry.test.Echo/None")(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "/skerry.test.Echo/None" in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        stub.unary(echo.EchoRequest(text="x" * 1000), timeout=10, compression=grpc.Compression.Gzip)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_malformed_messages_are_invalid_arguments(server):
    with grpc.insecure_channel(server.address) as channel:
        for bad, told in ((b"\xff\xff\xff", "malformed"), (b"\x0a\x02\xc3\x28", "EchoRequest.text is not valid UTF-8")):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary("/skerry.test.Echo/Unary")(bad, timeout=10)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert told in caught.value.details()


def test_stopping_lets_a_running_call_end(server, stub, echo):
    call = stub.unary.future(echo.EchoRequest(text="x", delay_ms=300), timeout=10)
    eventually(lambda: stub.statistics(echo.StatisticsRequest(), timeout=10).started == 1)
    server.process.terminate()
    assert call.result().text == "x"


def test_a_restarted_server_is_found_by_the_same_channel(echo):
    first = Server()
    with grpc.insecure_channel(first.address, options=[("grpc.max_reconnect_backoff_ms", 200)]) as channel:
        stub = Stub(channel, echo)
        assert stub.unary(echo.EchoRequest(text="x"), timeout=10).text == "x"
        first.stop()
        second = subprocess.Popen([BUILD / "tests/interop/rpc_echo_server", first.address], stdout=subprocess.PIPE, text=True)
        try:
            assert second.stdout.readline()
            assert stub.unary(echo.EchoRequest(text="y"), timeout=30, wait_for_ready=True).text == "y"
        finally:
            second.terminate()
            second.wait()
