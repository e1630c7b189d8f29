# SPDX-License-Identifier: Apache-2.0
"""Clients that speak correct HTTP/2 and mean harm: floods, bombs, clients that neither read nor finish what they say.

Whatever one of them does, at most its own connection suffers: the process stays up, its memory stays bounded, and a polite client
beside it is served all the while. Every flood is bounded in count. SKERRY_ABUSE_SESSIONS=100000 opens that many sessions.
"""

import contextlib
import os
import resource
import socket
import struct
import threading

import pytest

from support import raw
from support.protocol import OK, oxia, put
from support.server import eventually

MIB = 1 << 20
ENHANCE_YOUR_CALM = 11
SERVICE = "/io.oxia.proto.v1.OxiaClient/"
ACKNOWLEDGE = raw.frame(raw.SETTINGS, 0x1)   # the server's own windows count from then on
HUGE_WINDOWS = raw.PREFACE + raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 0x7FFFFFFF)) + ACKNOWLEDGE + \
    raw.frame(raw.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000))
CANCEL = struct.pack(">I", 8)


def memory(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what))


class PoliteClient:
    """Puts and gets one record after the other, on a connection of its own, until it is told to stop."""

    def __init__(self, server, key="/polite"):
        self.key = key
        self.served, self.error, self.stopping = 0, None, False
        self.thread = threading.Thread(target=self.work, args=(server,), daemon=True)
        self.thread.start()

    def work(self, server):
        try:
            with server.connect() as store:
                while not self.stopping:
                    value = b"%d" % self.served
                    assert store.put(self.key, value).status == OK
                    assert store.get(self.key).value == value
                    self.served += 1
        except Exception as error:   # shown by the test, which asks
            self.error = error

    def is_served(self, times=20):
        """Until it was served so many times more."""
        target = self.served + times
        eventually(lambda: self.served >= target or self.error, "progress of the polite client", seconds=60)
        assert self.error is None, self.error

    def stop(self):
        self.stopping = True
        self.thread.join(60)


@pytest.fixture
def polite(server):
    """A polite client beside the abuse. Afterwards the process is the same and still serves on old and new connections."""
    client = PoliteClient(server)
    client.is_served()
    yield client
    client.is_served()
    client.stop()
    assert server.running(), f"the server died:\n{server.output()[-3000:]}"
    with server.connect() as store:
        assert store.put("/after").status == OK


@contextlib.contextmanager
def memory_bounded(server, mib):
    """What comes inside must never take the server more than `mib` MiB above what it held before."""
    before = memory(server.pid)
    with open(f"/proc/{server.pid}/clear_refs", "w") as clear:
        clear.write("5")   # the peak starts anew
    yield
    grown = memory(server.pid, "VmHWM") - before
    assert grown < mib * MIB, f"the server's memory grew by {grown / MIB:.0f} MiB"


def call(stream, method, message=b"", flags=raw.END_STREAM, **headers):
    """A whole request; `message` None sends its headers alone."""
    head = raw.frame(raw.HEADERS, raw.END_HEADERS, stream, raw.request_headers(SERVICE + method, **headers))
    return head if message is None else head + raw.frame(raw.DATA, flags, stream, raw.message(message))


def write_of(key, value=b"x"):
    return oxia.WriteRequest(shard=0, puts=[put(key, value)]).SerializeToString()


def goaway_code(data):
    return next((struct.unpack(">I", payload[4:8])[0] for kind, _, _, payload in raw.frames(data) if kind == raw.GOAWAY), None)


def read_all(connection, seconds=20):
    """Everything until the server hangs up."""
    connection.socket.settimeout(seconds)
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.socket.recv(1 << 16):
            got += piece
    return bytes(got)


def read_answer(connection):
    """Until the first call has ended."""
    connection.socket.settimeout(20)
    got = b""
    while ended_streams(got) == 0:
        got += connection.socket.recv(1 << 16)


class Drain:
    """Sends without ever being blocked by answers: those are read on the side and thrown away."""

    def __init__(self, port, opening=HUGE_WINDOWS):
        self.connection = raw.Connection(port)
        self.got = bytearray()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.connection.send(opening)
        self.connection.socket.settimeout(None)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError):
            while piece := self.connection.socket.recv(1 << 18):
                self.got += piece if len(self.got) < MIB else b""

    def send(self, data):
        return self.connection.send(data)

    def ended(self):
        self.thread.join(30)
        return not self.thread.is_alive()

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        self.connection.socket.close()
        self.thread.join(10)


# --- floods


def test_a_client_that_resets_its_calls_without_end_is_sent_away(server, polite):
    with memory_bounded(server, 64):
        for _ in range(3):   # it comes again
            client = Drain(server.port)
            for first in range(1, 60_000, 2_000):
                flood = b"".join(call(stream, "Write", write_of("/r")) + raw.frame(raw.RST_STREAM, 0, stream, CANCEL)
                                 for stream in range(first, first + 2_000, 2))
                if not client.send(flood):
                    break
            assert client.ended(), "30 000 calls were opened and reset on one connection"
            assert goaway_code(bytes(client.got)) is not None
            client.close()
            polite.is_served(3)


def test_a_client_that_makes_the_server_reset_its_calls_gains_nothing(server, polite):
    """Calls that the client breaks itself, by a window of 0 or one that overflows: the server must reset them, and drop their work."""
    scan = oxia.RangeScanRequest(shard=0).SerializeToString()
    for offence in (b"\0\0\0\0", b"\x7f\xff\xff\xff"):
        with memory_bounded(server, 64):
            client = Drain(server.port)
            for first in range(1, 40_000, 2_000):
                flood = b"".join(call(stream, "RangeScan", scan) + raw.frame(raw.WINDOW_UPDATE, 0, stream, offence)
                                 for stream in range(first, first + 2_000, 2))
                if not client.send(flood):
                    break
            polite.is_served()
            client.close()


SMALL_FRAMES = {
    "settings": raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 65_535)),
    "pings": raw.frame(raw.PING, payload=b"12345678"),
    "priorities": raw.frame(raw.PRIORITY, 0, 1, b"\0\0\0\0\x10"),
    "window updates": raw.frame(raw.WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"),
    "empty data": raw.frame(raw.DATA, 0, 1),
    "unknown frames": raw.frame(0x42, 0, 0, b"?"),
}


@pytest.mark.parametrize("name", SMALL_FRAMES)
@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_floods_of_small_frames(server, polite, name, reads):
    opening = raw.PREFACE + raw.frame(raw.SETTINGS) + call(1, "Write", None)
    with memory_bounded(server, 32):
        if reads:
            client = Drain(server.port, opening)
        else:
            client = raw.Connection(server.port)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.socket.settimeout(5)
            client.send(opening)
        for _ in range(30):
            if not client.send(SMALL_FRAMES[name] * 10_000):
                break
        polite.is_served()
        client.close() if reads else client.socket.close()


def test_a_client_that_pings_without_end_is_told_to_calm_down(server, polite):
    with raw.Connection(server.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS) + raw.frame(raw.PING, payload=b"12345678") * 100)
        assert goaway_code(read_all(connection)) == ENHANCE_YOUR_CALM


# --- headers


def test_a_small_header_block_that_unpacks_to_megabytes_is_refused(server, polite):
    """One long field goes into the table of HPACK, then a byte each repeats it: 64 KiB on the wire stand for 200 MiB."""
    value = b"v" * 3_900
    field = b"\x40\x01x" + b"\x7f" + bytes([(len(value) - 127) % 128 + 128, (len(value) - 127) // 128]) + value   # index it
    with memory_bounded(server, 32):
        for _ in range(3):
            client = Drain(server.port)
            for stream in range(1, 100, 2):
                block = raw.request_headers() + (field if stream == 1 else b"") + b"\xbe" * 11_000   # 62: the newest in the table
                client.send(raw.frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, stream, block))
            polite.is_served(5)
            client.close()


def test_headers_that_never_end_are_cut_off(server, polite):
    more = raw.frame(raw.CONTINUATION, 0, 1, raw.field("x", "y" * 16_000))
    with memory_bounded(server, 32), raw.Connection(server.port) as connection:
        connection.send(raw.PREFACE + raw.frame(raw.SETTINGS) + raw.frame(raw.HEADERS, 0, 1, raw.request_headers()))
        sent = sum(connection.send(more) for _ in range(2_000))
        assert connection.closed_by_server() and sent < 2_000


def test_headers_of_many_calls_that_never_come_are_bounded(server, polite):
    """The most a connection may open, each with as many headers as a call may have, and then silence."""
    with memory_bounded(server, 128):
        clients = [Drain(server.port) for _ in range(4)]
        for client in clients:
            for stream in range(1, 2_047, 2):
                client.send(call(stream, "Write", None, **{f"h{n}": "v" * 3_500 for n in range(4)}))
        polite.is_served()
        for client in clients:
            client.close()


# --- clients that are slow on purpose


def test_clients_that_say_a_byte_at_a_time_wait_for_themselves(server, polite):
    request = HUGE_WINDOWS + call(1, "Write", write_of("/slow", b"x" * 40))
    with memory_bounded(server, 64):
        slow = [raw.Connection(server.port) for _ in range(16)]
        for n in range(len(request)):
            for connection in slow:
                connection.send(request[n:n + 1])
        polite.is_served()
        for connection in slow:   # and were served in the end
            read_answer(connection)
            connection.socket.close()
    with server.connect() as store:
        assert store.get("/slow").version.modifications_count == 15


def test_clients_that_open_their_window_a_byte_at_a_time_hold_nobody_up(server, polite):
    with server.connect() as store:
        store.put("/big", b"x" * MIB)
    get = oxia.ReadRequest(shard=0, gets=[oxia.GetRequest(key="/big", include_value=True)]).SerializeToString()
    tiny = raw.PREFACE + raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 1))
    with memory_bounded(server, 256):
        slow = [raw.Connection(server.port) for _ in range(20)]
        for connection in slow:
            connection.send(tiny + call(1, "Read", get))
        for _ in range(50):
            for connection in slow:
                connection.send(raw.frame(raw.WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"))
        polite.is_served()
        for connection in slow:
            connection.socket.close()


def test_clients_that_never_take_their_answers_cannot_fill_the_memory(server, polite):
    """2 000 scans whose clients never open a window would hold 4 GiB."""
    with server.connect() as store:
        for n in range(4):
            store.put(f"/big/{n}", b"x" * MIB)
    scan = oxia.RangeScanRequest(shard=0).SerializeToString()
    closed = raw.PREFACE + raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 0))
    with memory_bounded(server, 1_024):
        clients = [Drain(server.port, closed) for _ in range(2)]
        for client in clients:
            client.send(b"".join(call(stream, "RangeScan", scan) for stream in range(1, 2_000, 2)))
        polite.is_served()
        polite.is_served()
        for client in clients:
            client.close()


def test_json_clients_that_never_read_fill_no_memory_and_hold_up_no_stop(server):
    with server.connect() as store:
        for n in range(64):
            store.put(f"/big/{n:02}", b"x" * MIB)
    scan = b'{"shard": 0}'
    asks = b"POST /api" + SERVICE.encode() + b"RangeScan HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(scan), scan)
    with contextlib.ExitStack() as clients:
        with memory_bounded(server, 512):
            for _ in range(32):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", server.metrics_port), timeout=20))
                client.sendall(asks)
                assert client.recv(12) == b"HTTP/1.1 200"
            with server.connect() as store:
                assert store.put("/polite").status == OK
        assert server.stop() == 0


def test_what_slow_clients_held_is_given_back(server, polite):
    with server.connect() as store:
        store.put("/big", b"x" * MIB)
    scan = oxia.RangeScanRequest(shard=0).SerializeToString()
    closed = raw.PREFACE + raw.frame(raw.SETTINGS, payload=struct.pack(">HI", 4, 0))

    def hold():
        client = Drain(server.port, closed)
        client.send(b"".join(call(stream, "RangeScan", scan) for stream in range(1, 200, 2)))
        polite.is_served(5)
        client.close()
        polite.is_served(5)

    before = memory(server.pid)
    hold()
    once = memory(server.pid, "VmHWM") - before
    with memory_bounded(server, once / MIB + 64):
        for _ in range(8):
            hold()


def test_one_client_s_unfinished_requests_take_what_was_sent_and_shut_nobody_out(server, polite):
    """It claims large messages and sends of each what the window of a stream lets through."""
    filling = b"x" * 16_384
    client = Drain(server.port)
    with memory_bounded(server, 256):
        for stream in range(1, 128, 2):
            client.send(call(stream, "Write", None) + raw.frame(raw.DATA, 0, stream, struct.pack(">BI", 0, 200 * MIB)))
        for _ in range(56):   # 56 MiB
            client.send(b"".join(raw.frame(raw.DATA, 0, stream, filling) for stream in range(1, 128, 2)))
            polite.is_served(1)
        assert goaway_code(bytes(client.got)) is None
    client.close()


# --- many, and greedy


def open_many(port, count):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(limit[0], count + 1_000), limit[1]), limit[1]))
    opened = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(raw.PREFACE + raw.frame(raw.SETTINGS))
        opened.append(connection)
    return opened


def test_thousands_of_idle_connections_cost_little(server, polite, record_property):
    before = memory(server.pid)
    idle = open_many(server.port, 2_000)
    for connection in idle:
        assert connection.recv(9)[3] == raw.SETTINGS
    polite.is_served()
    each = (memory(server.pid) - before) / len(idle)
    record_property("bytes_a_connection", int(each))
    assert each < 64 * 1024, f"an idle connection takes {each:.0f} bytes"
    for connection in idle:
        connection.close()


def test_a_greedy_client_leaves_room_for_polite_ones(server, polite):
    """It keeps a thousand writes in flight on each of three connections and takes every answer at once."""
    clients = [Drain(server.port) for _ in range(3)]
    going = [True]

    def flood(client):
        write = write_of("/greedy", b"x" * 1_000)
        for first in range(1, 200_000, 400):
            if not going[0] or not client.send(b"".join(call(stream, "Write", write) for stream in range(first, first + 400, 2))):
                return

    threads = [threading.Thread(target=flood, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    polite.is_served(100)
    more = PoliteClient(server, "/later")
    more.is_served(50)
    more.stop()
    going[0] = False
    for thread, client in zip(threads, clients):
        client.close()
        thread.join(30)


def test_sessions_by_the_ten_thousand_take_at_most_500_bytes_each(server, polite, record_property):
    count = int(os.environ.get("SKERRY_ABUSE_SESSIONS", 20_000))
    create = oxia.CreateSessionRequest(shard=0, session_timeout_ms=300_000, client_identity="abuse").SerializeToString()

    def open_sessions(number):
        client = raw.Connection(server.port)
        client.send(HUGE_WINDOWS)
        client.socket.settimeout(60)
        stream, ended, rest = 1, 0, b""
        while ended < number:
            batch = min(1_000, number - ended)
            client.send(b"".join(call(stream + 2 * n, "CreateSession", create) for n in range(batch)))
            stream += 2 * batch
            target = ended + batch
            while ended < target:
                rest += client.socket.recv(1 << 18)
                ended, rest = ended + ended_streams(rest), tail(rest)
        client.socket.close()

    open_sessions(5_000)   # what grows once, grows now
    before = memory(server.pid)
    open_sessions(count)
    each = (memory(server.pid) - before) / count
    record_property("bytes_a_session", int(each))
    print(f"{each:.0f} bytes a session")
    polite.is_served()
    assert each <= 500, f"a session takes {each:.0f} bytes"


def ended_streams(data):
    return sum(1 for kind, flags, _, payload in whole_frames(data) if kind == raw.HEADERS and flags & raw.END_STREAM)


def whole_frames(data):
    return raw.frames(data[:len(data) - len(tail(data))])


def tail(data):
    """What follows the last whole frame."""
    at = 0
    while len(data) - at >= 9 and len(data) - at >= 9 + int.from_bytes(data[at:at + 3], "big"):
        at += 9 + int.from_bytes(data[at:at + 3], "big")
    return data[at:]
