# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up while the server writes: a small file system of its own, where that can be had."""

import os

import grpc
import pytest

from support import small_disk as disks
from support.server import Server, eventually


@pytest.fixture
def small_disk(tmp_path):
    with disks.small_disk(tmp_path, tmp_path / "disk") as mount:
        yield mount


def test_a_full_disk_stops_writes_with_the_reason_and_loses_nothing(small_disk, tmp_path):
    server = Server(tmp_path / "server", shards=1)
    server.data = small_disk / "data"
    try:
        server.start()
        acknowledged = {}
        with server.connect() as store:
            value = os.urandom(256 << 10)
            store.put("/first", value)
            acknowledged["/first"] = value
            ballast = disks.fill(small_disk, 24 << 20)
            failure = None
            for n in range(2000):
                try:
                    store.put(f"/k{n}", value)
                    acknowledged[f"/k{n}"] = value
                except grpc.RpcError as error:
                    failure = error
                    break
            assert failure is not None, "2000 values of 256 KiB fitted on a small disk"
            assert failure.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED,
                                      grpc.StatusCode.INTERNAL, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNKNOWN)
            assert "space" in (failure.details() + server.output()).lower(), failure.details() + server.output()[-2000:]
            if server.running():
                assert store.get("/first").value == value
        server.kill()
        ballast.unlink()
        server.start()
        with server.connect() as store:
            missing = [key for key, value in acknowledged.items() if store.get(key).value != value]
            assert missing == []
            assert store.put("/again", b"x").status == 0
    finally:
        server.kill()


@pytest.mark.parametrize("kib", [4, 12, 20, 40])
def test_a_start_with_hardly_any_space_says_so_and_loses_nothing(small_disk, tmp_path, kib):
    server = Server(tmp_path / "server", shards=2)
    server.data = small_disk / "data"
    try:
        server.start()
        with server.connect() as store:
            store.put("/kept", b"value")
        server.kill()
        ballast = disks.fill(small_disk, kib << 10)
        server.launch()
        eventually(lambda: server.process.poll() is not None or "Started Grpc server" in server.output()[-2000:], "a start or a refusal")
        if not server.running():
            assert server.process.returncode == 1, server.output()[-2000:]
            assert "space" in server.output().lower()
        server.kill()
        ballast.unlink()
        server.start()
        with server.connect() as store:
            assert store.get("/kept").value == b"value"
    finally:
        server.kill()
