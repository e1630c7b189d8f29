# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up while the server writes: a small file system of its own, where that can be had."""

import os
import shutil
import subprocess

import grpc
import pytest

from support.server import Server

SIZE_MIB = 320   # room for the first segments of the log and the engine's files, not for what the test writes


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting a small file system needs root and mkfs.ext4")
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(SIZE_MIB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode != 0:
        pytest.skip("loop mounts are not allowed here")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def test_a_full_disk_stops_writes_with_the_reason_and_loses_nothing(small_disk, tmp_path):
    server = Server(tmp_path / "server", shards=1)
    server.data = small_disk / "data"
    ballast = small_disk / "ballast"
    try:
        server.start()
        acknowledged = {}
        with server.connect() as store:
            value = os.urandom(256 << 10)
            store.put("/first", value)
            acknowledged["/first"] = value
            free = os.statvfs(small_disk)
            with open(ballast, "wb") as file:   # leave a little room
                file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - (24 << 20)))
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
