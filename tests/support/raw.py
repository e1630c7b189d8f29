# SPDX-License-Identifier: Apache-2.0
"""Bytes on a socket: just enough HTTP/2 to say things that no honest client says."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
WRITE = "/io.oxia.proto.v1.OxiaClient/Write"


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    return struct.pack(">I", length if length is not None else len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """A header, literal and never indexed."""
    def text(s):
        s = s if isinstance(s, bytes) else s.encode()
        if len(s) < 127:
            return bytes([len(s)]) + s
        rest, out = len(s) - 127, bytearray([127])
        while rest >= 128:
            out.append(rest % 128 + 128)
            rest //= 128
        out.append(rest)
        return bytes(out) + s
    return b"\x00" + text(name) + text(value)


def request_headers(path=WRITE, **more):
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost", "content-type": "application/grpc",
              "te": "trailers", **more}
    return b"".join(field(name, value) for name, value in fields.items() if value is not None)


def message(payload, compressed=0, length=None):
    """A message in gRPC's frame."""
    return struct.pack(">BI", compressed, length if length is not None else len(payload)) + payload


class Connection:
    """Says what it is told and reads until the other side is silent or gone."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the server has hung up already."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def read(self, seconds=1.0, until=None):
        """What comes within `seconds` of silence, or until the bytes `until` have been seen."""
        self.socket.settimeout(seconds)
        got = b""
        try:
            while until is None or until not in got:
                piece = self.socket.recv(65536)
                if not piece:
                    break
                got += piece
        except OSError:
            pass
        return got

    def closed_by_server(self, seconds=10):
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True


def frames(data):
    """[(kind, flags, stream, payload)]"""
    found = []
    while len(data) >= 9:
        length, kind, flags, stream = int.from_bytes(data[:3], "big"), data[3], data[4], int.from_bytes(data[5:9], "big")
        found.append((kind, flags, stream, data[9:9 + length]))
        data = data[9 + length:]
    return found
