# SPDX-License-Identifier: Apache-2.0
"""Nothing that arrives on the port may bring the server down, and what is refused is refused with the reason."""

import contextlib
import os
import random
import socket
import struct

import grpc
import pytest

from support import raw
from support.protocol import OK, failure_of, oxia, put

INVALID, TOO_MUCH = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
MIB = 1 << 20


@pytest.fixture
def survivor(server):
    """The server; afterwards the same process must still serve on old and new connections."""
    with server.connect() as before:
        before.put("/before", b"1")
        yield server
        assert server.running(), f"the server died:\n{server.output()[-3000:]}"
        assert before.get("/before").value == b"1"
        with server.connect() as after:
            assert after.put("/after", b"2").status == OK
            assert after.get("/after").value == b"2"


@pytest.fixture
def store(survivor):
    with survivor.connect() as store:
        yield store


# --- limits of requests


@pytest.mark.parametrize("what, request_of", [
    ("key", lambda text: put(text)),
    ("partition", lambda text: put("/a", partition_key=text)),
    ("identity", lambda text: put("/a", client_identity=text)),
    ("secondary", lambda text: put("/a", indexes=[("i", text)])),
    ("index", lambda text: put("/a", indexes=[(text, "k")]))])
def test_names_above_64_kib_are_refused_and_those_below_are_not(store, what, request_of):
    assert store.write(0, puts=[request_of("k" * 65_536)]).puts[0].status == OK
    failure = failure_of(lambda: store.write(0, puts=[request_of("k" * 65_537)]))
    assert failure.code == TOO_MUCH and what in failure.text.lower() and "65536" in failure.text.replace(",", "").replace("'", ""), failure


def test_values_above_32_mib_are_refused_and_those_below_are_not(store):
    assert store.put("/a", b"v" * (32 * MIB)).status == OK
    failure = failure_of(lambda: store.put("/b", b"v" * (32 * MIB + 1)))
    assert failure.code == TOO_MUCH and "value" in failure.text
    assert len(store.get("/a").value) == 32 * MIB


def test_a_write_above_48_mib_in_sum_is_refused_whole(store):
    failure = failure_of(lambda: store.write(0, puts=[put(f"/{n}", b"v" * (13 * MIB)) for n in range(4)]))
    assert failure.code in (INVALID, TOO_MUCH) and "50331648" in failure.text
    assert store.list() == ["/before"]


def test_a_write_of_more_than_100000_operations_is_refused_whole(store):
    assert len(store.write(0, puts=[put(f"/{n}") for n in range(50_000)]).puts) == 50_000
    failure = failure_of(lambda: store.write(0, puts=[put(f"/x{n}") for n in range(60_000)],
                                             deletes=[oxia.DeleteRequest(key=f"/{n}") for n in range(40_001)]))
    assert failure.code == TOO_MUCH and "operations" in failure.text
    assert len(store.list()) == 50_001


def test_a_record_with_more_than_64_indexes_is_refused(store):
    assert store.put("/a", indexes=[(f"i{n}", "x") for n in range(64)]).status == OK
    failure = failure_of(lambda: store.put("/a", indexes=[(f"i{n}", "x") for n in range(65)]))
    assert failure.code == TOO_MUCH and "index" in failure.text


def test_a_message_above_256_mib_is_refused(store):
    failure = failure_of(lambda: store.calls.Write(b"\x12" + b"\xff" * (256 * MIB), timeout=60))
    assert failure.code == TOO_MUCH


def test_a_message_that_only_claims_to_be_too_large_is_refused_before_it_comes(survivor):
    with raw.Connection(survivor.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS))
        connection.send(raw.frame(raw.HEADERS, raw.END_HEADERS, 1, raw.request_headers()))
        connection.send(raw.frame(raw.DATA, 0, 1, struct.pack(">BI", 0, 0xFFFFFFFF) + b"x" * 100))
        answered = {stream for kind, _, stream, _ in raw.frames(connection.read(3)) if kind in (raw.HEADERS, raw.RST_STREAM)}
        assert 1 in answered


# --- malformed messages


@pytest.mark.parametrize("payload", [b"\xff", b"\xff" * 20, b"\x12\x05ab", b"\x0a\xff\xff\xff\xff\x0f", b"\x12" * 100],
                         ids=lambda payload: payload[:6].hex())
@pytest.mark.parametrize("method", ["Write", "Read", "List", "CreateSession"])
def test_bytes_that_are_no_message_are_refused(store, method, payload):
    failure = failure_of(lambda: getattr(store.calls, method)(payload, timeout=10))
    assert failure.code in (INVALID, grpc.StatusCode.INTERNAL) and failure.text


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"a\xffb", b"\xf4\x90\x80\x80"], ids=bytes.hex)
@pytest.mark.parametrize("where", ["key", "partition key", "range", "get"])
def test_keys_that_are_no_utf_8_are_refused(store, where, text):
    def sized(tag, content):
        return bytes([tag, len(content)]) + content
    method, payload = {
        "key": ("Write", b"\x08\x00" + sized(0x12, sized(0x0A, text))),
        "partition key": ("Write", b"\x08\x00" + sized(0x12, sized(0x0A, b"k") + sized(0x32, text))),
        "range": ("Write", b"\x08\x00" + sized(0x22, sized(0x0A, text))),
        "get": ("Read", b"\x08\x00" + sized(0x12, sized(0x0A, text))),
    }[where]
    failure = failure_of(lambda: getattr(store.calls, method)(payload, timeout=10))
    assert failure.code in (INVALID, grpc.StatusCode.INTERNAL), failure
    assert store.list() == ["/before"]


def test_random_messages_are_answered_somehow(store):
    chance = random.Random(7)
    methods = ["Write", "Read", "List", "RangeScan", "CreateSession", "KeepAlive", "CloseSession"]
    for n in range(300):
        payload = bytes(chance.randrange(256) for _ in range(chance.randrange(64)))
        try:
            result = getattr(store.calls, methods[n % len(methods)])(payload, timeout=10)
            list(result) if hasattr(result, "__next__") else None
        except grpc.RpcError as error:
            assert error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error


def test_numbers_at_their_ends_are_answered(store):
    for number in (-2**63, -2, 2**63 - 1, 2**62):
        for call in (lambda: store.put("/a", shard=number), lambda: store.get("/a", shard=number),
                     lambda: store.keep_alive(number), lambda: store.close_session(number, shard=0),
                     lambda: next(store.notifications(shard=number))):
            assert failure_of(call).code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        store.put("/a", expected_version_id=number)
        store.put("/b", session_id=number)
        store.delete("/none", expected_version_id=number)
        assert store.get("/a", comparison=1).status in (OK, 1)
    store.put("/c", override_version_id=2**63 - 1, override_modifications_count=2**63 - 1)
    assert store.put("/c").status == OK
    assert store.put("/d").status == OK


def test_notifications_from_an_offset_in_the_future_or_before_all_do_not_hurt(store):
    for after in (-2**63, -1, 2**63 - 1):
        stream = store.calls.GetNotifications(oxia.NotificationsRequest(shard=0, start_offset_exclusive=after), timeout=1)
        try:
            next(stream)
        except grpc.RpcError as error:
            assert error.code() != grpc.StatusCode.UNAVAILABLE
        stream.cancel()


def test_unknown_enum_values_are_refused_or_read_as_equal(store):
    try:
        got = store.calls.Read(b"\x08\x00\x12\x06\x0a\x02/a\x18\x63", timeout=10)
        assert [g.status for m in got for g in m.gets] == [1]
    except grpc.RpcError as error:
        assert error.code() == INVALID


# --- bytes that are no HTTP/2


@pytest.mark.parametrize("opening", [
    b"", b"\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    raw.PREFACE[:10], raw.PREFACE[:-1] + b"X", os.urandom(4096), b"\xff" * 100_000],
    ids=["nothing", "a zero", "HTTP/1.1", "TLS", "half a preface", "a wrong preface", "noise", "ones"])
def test_openings_that_are_no_http2(survivor, opening):
    with raw.Connection(survivor.port) as connection:
        connection.send(opening)
        with contextlib.suppress(OSError):   # the server may have hung up already
            connection.socket.shutdown(socket.SHUT_WR)
        assert connection.closed_by_server()


def hostile_frames():
    headers = raw.request_headers()
    one = raw.frame(raw.HEADERS, raw.END_HEADERS, 1, headers)
    return {
        "a frame above the limit": raw.frame(raw.DATA, 0, 1, b"x" * 20_000, length=16_777_215),
        "settings of odd length": raw.frame(raw.SETTINGS, payload=b"12345"),
        "settings on a stream": raw.frame(raw.SETTINGS, stream=3),
        "data on no stream": raw.frame(raw.DATA, 0, 0, b"x"),
        "data on an idle stream": raw.frame(raw.DATA, 0, 7, b"x"),
        "headers on an even stream": raw.frame(raw.HEADERS, raw.END_HEADERS, 2, headers),
        "headers cut by another frame": raw.frame(raw.HEADERS, 0, 1, headers[:10]) + raw.frame(raw.PING, payload=b"12345678"),
        "continuation of nothing": raw.frame(raw.CONTINUATION, raw.END_HEADERS, 1, headers),
        "headers that don't decode": raw.frame(raw.HEADERS, raw.END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        "padding longer than the frame": raw.frame(raw.DATA, raw.PADDED, 1, b"\xff"),
        "push from a client": raw.frame(raw.PUSH_PROMISE, raw.END_HEADERS, 1, b"\x00\x00\x00\x02" + headers),
        "a ping of 7 bytes": raw.frame(raw.PING, payload=b"1234567"),
        "a window update of 0": one + raw.frame(raw.WINDOW_UPDATE, 0, 1, b"\x00\x00\x00\x00"),
        "a window that overflows": raw.frame(raw.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
        "a reset of an idle stream": raw.frame(raw.RST_STREAM, 0, 9, b"\x00\x00\x00\x08"),
        "frames of unknown kinds": b"".join(raw.frame(kind, 255, 1, b"x" * 10) for kind in range(10, 256)),
        "headers without end": b"".join([raw.frame(raw.HEADERS, 0, 1, headers)] + [raw.frame(raw.CONTINUATION, 0, 1, raw.field("x", "y" * 8000))
                                                                                  for _ in range(200)]),
        "streams opened and reset at once": b"".join(raw.frame(raw.HEADERS, raw.END_HEADERS, n, headers) + raw.frame(raw.RST_STREAM, 0, n, b"\x00\x00\x00\x08")
                                                     for n in range(1, 8001, 2)),
        "pings without end": raw.frame(raw.PING, payload=b"12345678") * 20_000,
        "settings without end": raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 65535)) * 20_000,
        "empty data without end": one + raw.frame(raw.DATA, 0, 1) * 20_000,
        "noise": random.Random(3).randbytes(100_000),
    }


@pytest.mark.parametrize("name", hostile_frames())
def test_hostile_frames_end_at_most_their_connection(survivor, name):
    with raw.Connection(survivor.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS))
        connection.send(hostile_frames()[name])
        connection.read(0.3)


@pytest.mark.parametrize("name, headers", [
    ("GET", {":method": "GET"}), ("no path", {":path": None}), ("no method", {":method": None}),
    ("a foreign content type", {"content-type": "text/html"}), ("no content type", {"content-type": None}),
    ("upper case", {"X-Upper": "1"}), ("a bad timeout", {"grpc-timeout": "soon"}), ("a negative timeout", {"grpc-timeout": "-5S"}),
    ("a timeout of 0", {"grpc-timeout": "0n"}), ("a huge timeout", {"grpc-timeout": "99999999H"}),
    ("an unknown encoding", {"grpc-encoding": "rot13"}), ("a connection header", {"connection": "keep-alive"}),
    ("bad base64", {"thing-bin": "!!!"}), ("many headers", {f"h{n}": "v" * 100 for n in range(120)})])
def test_odd_headers_are_answered_or_reset(survivor, name, headers):
    body = raw.message(oxia.WriteRequest(shard=0, puts=[put("/odd")]).SerializeToString())
    with raw.Connection(survivor.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS))
        connection.send(raw.frame(raw.HEADERS, raw.END_HEADERS, 1, raw.request_headers(**headers)))
        connection.send(raw.frame(raw.DATA, raw.END_STREAM, 1, body))
        kinds = {kind for kind, _, stream, _ in raw.frames(connection.read(0.7)) if stream == 1 or kind == raw.GOAWAY}
        assert kinds & {raw.HEADERS, raw.RST_STREAM, raw.GOAWAY}, f"{name} was not answered"


@pytest.mark.parametrize("name, body", [
    ("a length beyond the body", raw.message(b"\x08\x00", length=100)), ("half a prefix", b"\x00\x00"),
    ("a compressed message without encoding", raw.message(b"\x08\x00", compressed=1)), ("an unknown flag", raw.message(b"", compressed=7)),
    ("two messages for one call", raw.message(b"\x08\x00") * 2), ("no message", b""), ("rest behind the message", raw.message(b"\x08\x00") + b"\x00")])
def test_odd_bodies_are_answered_or_reset(survivor, name, body):
    with raw.Connection(survivor.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS))
        connection.send(raw.frame(raw.HEADERS, raw.END_HEADERS, 1, raw.request_headers()))
        connection.send(raw.frame(raw.DATA, raw.END_STREAM, 1, body))
        kinds = {kind for kind, _, stream, _ in raw.frames(connection.read(0.7)) if stream == 1 or kind == raw.GOAWAY}
        assert kinds & {raw.HEADERS, raw.RST_STREAM, raw.GOAWAY}, f"{name} was not answered"


def test_connections_that_vanish_in_the_middle_of_a_call_harm_nobody(survivor):
    body = raw.message(oxia.WriteRequest(shard=0, puts=[put("/half", b"x" * 5000)]).SerializeToString())
    start = raw.PREFACE + raw.frame(raw.SETTINGS) + raw.frame(raw.HEADERS, raw.END_HEADERS, 1, raw.request_headers())
    everything = start + raw.frame(raw.DATA, raw.END_STREAM, 1, body)
    for cut in [*range(0, 200, 7), len(everything) // 2, len(everything) - 1, len(everything)]:
        with raw.Connection(survivor.port) as connection:
            connection.send(everything[:cut])
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))   # a reset, not a goodbye


def test_hundreds_of_idle_connections_leave_room_for_an_honest_one(survivor):
    idle = [socket.create_connection(("127.0.0.1", survivor.port), timeout=10) for _ in range(600)]
    with survivor.connect() as store:
        assert store.put("/a").status == OK
    for connection in idle:
        connection.close()


def test_a_client_that_does_not_read_its_answers_is_not_given_unbounded_memory(survivor):
    with survivor.connect() as store:
        for n in range(8):
            store.put(f"/big/{n}", b"x" * (4 * MIB))
    scan = raw.message(oxia.RangeScanRequest(shard=0).SerializeToString())
    before = resident(survivor.pid)
    with raw.Connection(survivor.port) as connection:
        window = raw.frame(raw.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000))
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 0x7FFFFFFF)) + window)
        for stream in range(1, 100, 2):
            connection.send(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, raw.request_headers("/io.oxia.proto.v1.OxiaClient/RangeScan")) +
                            raw.frame(raw.DATA, raw.END_STREAM, stream, scan))
        with survivor.connect() as store:
            for n in range(200):
                assert store.put("/a", str(n)).status == OK
        assert resident(survivor.pid) - before < 1024 * MIB   # 50 scans of 32 MiB each would be 1.6 GiB


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
