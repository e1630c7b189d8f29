# SPDX-License-Identifier: Apache-2.0
"""Starting and ending: what the process says about its ports and its data folder, and how it exits."""

import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import pytest

from support.protocol import OK
from support.server import PROGRAM, Server, eventually, free_port


def refusal(server, seconds=20):
    """The exit status and the words of a server that must not start."""
    server.launch()
    status = server.process.wait(seconds)
    assert status not in (0, -signal.SIGABRT, -signal.SIGSEGV), f"status {status}:\n{server.output()}"
    words = server.output()
    assert "terminate called" not in words and "Sanitizer" not in words and "assertion failed" not in words, words
    return status, words


@pytest.fixture
def stopped(make_server):
    """A server with two shards and some records, stopped."""
    server = make_server(shards=2)
    with server.connect() as store:
        for shard in (0, 1):
            store.put("/a", b"kept", shard=shard)
    assert server.stop() == 0
    return server


def kept(server):
    with server.connect() as store:
        return all(store.get("/a", shard=shard).value == b"kept" for shard in (0, 1))


@pytest.mark.parametrize("role, flags", [("standalone", ["-p", "-m"]), ("server", ["-p", "-m"]), ("server", ["-i", "-p"]), ("coordinator", ["-i", "-m"])])
def test_one_port_for_two_purposes_is_refused_before_anything_is_made(tmp_path, role, flags):
    address = f"127.0.0.1:{free_port()}"
    folder = "--metadata-dir" if role == "coordinator" else "--data-dir"
    words = [PROGRAM, role, folder, tmp_path / "data", flags[0], address, flags[1], address]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=20)
    names = {"-p": "--public-addr", "-i": "--internal-addr", "-m": "--metrics-addr"}
    assert refused.returncode == 2 and all(names[flag] in refused.stderr for flag in flags) and address in refused.stderr, refused
    assert not (tmp_path / "data").exists()


def test_sigterm_and_sigint_stop_it_with_status_0(make_server):
    server = make_server(shards=1)
    for number in (signal.SIGTERM, signal.SIGINT):
        server.process.send_signal(number)
        assert server.process.wait(20) == 0, server.output()
        server.start()


def test_a_stop_loses_nothing_and_keeps_the_shard_count(stopped):
    stopped.shards = None
    stopped.start()
    assert kept(stopped)
    with stopped.connect() as store:
        assert len(next(iter(store.assignments())).namespaces["default"].assignments) == 2


def test_it_stops_in_the_middle_of_work(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        streams = [store.notifications(), store.assignments(), store.sequence_updates("s")]
        next(streams[0])
        assert server.stop() == 0
        for stream in streams:
            stream.cancel()


def test_a_second_process_on_the_same_folder_is_refused_and_the_first_one_named(make_server):
    first = make_server(shards=1)
    second = make_server(shards=1, start=False)
    second.data = first.data
    status, words = refusal(second)
    assert str(first.data) in words and str(first.pid) in words
    with first.connect() as store:
        assert store.put("/a").status == OK
    second.data = second.folder / "data"


def test_a_folder_is_free_again_when_its_process_was_killed(stopped):
    stopped.start()
    stopped.kill()
    stopped.start()
    assert kept(stopped)


@pytest.mark.parametrize("which", ["port", "metrics_port"])
def test_a_busy_port_is_named(make_server, which):
    server = make_server(shards=1, start=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", getattr(server, which)))
        taken.listen()
        _, words = refusal(server)
        assert f"127.0.0.1:{getattr(server, which)}" in words and "in use" in words


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1", "203.0.113.7:6648", ":abc", ""])
def test_an_address_that_cannot_be_is_refused(make_server, address):
    server = make_server(shards=1, start=False)
    server.command = lambda: [str(PROGRAM), "standalone", "--public-addr", address, "--data-dir", str(server.data)]
    _, words = refusal(server)
    assert (address or "address") in words


def test_another_shard_count_is_refused_with_both_numbers(stopped):
    stopped.shards = 5
    _, words = refusal(stopped)
    assert "2" in words and "5" in words and "shard" in words
    stopped.shards = 2
    stopped.start()
    assert kept(stopped)


def test_another_key_order_is_refused(stopped):
    stopped.arguments = ["--key-sorting", "natural"]
    _, words = refusal(stopped)
    assert "natural" in words and "hierarchical" in words
    stopped.arguments = []
    stopped.start()
    assert kept(stopped)


@pytest.mark.parametrize("shards", ["0", "-1", "many", "99999999999"])
def test_a_shard_count_that_cannot_be_is_refused(make_server, shards):
    server = make_server(start=False, arguments=[f"--shards={shards}"])
    _, words = refusal(server)
    assert "shards" in words
    assert not server.data.exists() or not any(server.data.iterdir())


def test_a_folder_of_a_newer_format_is_refused(stopped):
    marker = stopped.data / "skerry-format"
    old = marker.read_text()
    marker.write_text(old.replace("1", "2"))
    _, words = refusal(stopped)
    assert str(stopped.data) in words and "format 2" in words and "newer" in words
    marker.write_text(old)
    stopped.start()
    assert kept(stopped)


@pytest.mark.parametrize("content", ["", "garbage\n", "skerry data folder, format x\n", "\x00" * 50], ids=["empty", "garbage", "no number", "zeros"])
def test_a_folder_with_a_damaged_marker_is_refused(stopped, content):
    (stopped.data / "skerry-format").write_text(content)
    _, words = refusal(stopped)
    assert "skerry-format" in words or str(stopped.data) in words


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing"])
def test_a_damaged_status_document_is_refused_and_named(stopped, damage):
    path = stopped.data / "cluster-status.yaml"
    content = path.read_bytes()
    {"cut": lambda: path.write_bytes(content[:len(content) // 2]), "flipped": lambda: path.write_bytes(content.replace(b"2", b"3", 1)),
     "empty": lambda: path.write_bytes(b""), "missing": path.unlink}[damage]()
    _, words = refusal(stopped)
    assert "cluster-status.yaml" in words
    path.write_bytes(content)
    stopped.start()
    assert kept(stopped)


def test_a_folder_with_other_things_in_it_is_not_touched(make_server):
    server = make_server(shards=1, start=False)
    server.data.mkdir(parents=True)
    (server.data / "holiday.jpg").write_bytes(b"x")
    _, words = refusal(server)
    assert str(server.data) in words and "holiday.jpg" in words
    assert sorted(p.name for p in server.data.iterdir()) == ["holiday.jpg"]


@pytest.mark.parametrize("folder", ["/proc/skerry", "/dev/null/skerry", "a file"])
def test_a_folder_that_cannot_be_made_is_named_with_the_reason(make_server, folder, tmp_path):
    server = make_server(shards=1, start=False)
    if folder == "a file":
        (tmp_path / "file").write_text("x")
        folder = str(tmp_path / "file")
    server.data = pathlib.Path(folder)
    _, words = refusal(server)
    assert folder in words
    server.data = server.folder / "data"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(make_server, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    server = make_server(shards=1, start=False)
    server.data = tmp_path / "locked/data"
    _, words = refusal(server)
    assert "locked" in words and "ermission" in words
    server.data = server.folder / "data"


def log_files(server):
    return sorted(p for p in server.data.glob("node-*/**/*") if p.is_file() and "log" in str(p.relative_to(server.data)).lower()
                  and "LOG" not in p.name)


def test_damage_in_the_middle_of_the_log_is_refused_with_file_and_position(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        for n in range(200):
            store.put(f"/k{n}", b"needle-%06d" % n)
    server.kill()
    files = [(path, path.read_bytes().find(b"needle-000050")) for path in log_files(server)]
    path, at = next((path, at) for path, at in files if at >= 0)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"NEEDLE")
    status, words = refusal(server)
    assert path.name in words and re.search(r"\d{2,}", words), words
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"needle")
    server.start()
    with server.connect() as store:
        assert len(store.list()) == 200


@pytest.mark.parametrize("attempt", range(3))
def test_a_damaged_engine_is_refused_beside_a_log_that_has_just_begun(stopped, tmp_path, attempt):
    tables = list(stopped.data.glob("node-*/engine/*.sst"))
    assert tables
    for table in tables:
        with open(table, "r+b") as file:
            file.write(b"X" * 512)
            file.truncate(512)
    stopped.arguments = [*stopped.arguments, "--wal-dir", str(tmp_path / "log")]
    status, words = refusal(stopped)
    assert status == 1 and "is damaged" in words, words


def test_a_torn_end_of_the_log_is_cut_and_nothing_else(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        for n in range(50):
            store.put(f"/k{n}", b"needle-%06d" % n)
    server.kill()
    path, content = next((path, path.read_bytes()) for path in log_files(server) if b"needle-000049" in path.read_bytes())
    at = content.find(b"needle-000049")
    with open(path, "r+b") as file:   # as if the last write had only half arrived
        file.seek(at + 6)
        file.write(b"\x00" * (min(len(content), at + 4096) - at - 6))
    server.start()
    with server.connect() as store:
        keys = set(store.list())
        assert keys >= {f"/k{n}" for n in range(49)}
        assert store.put("/after").status == OK
    server.restart()


def test_many_quick_restarts_keep_everything(make_server):
    server = make_server(shards=2)
    for n in range(12):
        with server.connect() as store:
            store.put(f"/k{n}", str(n), shard=n % 2)
        server.kill() if n % 3 else server.stop()
        server.start()
    with server.connect() as store:
        assert sorted(store.list(shard=0) + store.list(shard=1)) == sorted(f"/k{n}" for n in range(12))


def test_it_uses_as_many_descriptors_as_the_system_allows(server):
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    assert soft == hard


def test_it_says_where_it_serves(server):
    eventually(lambda: server.address in server.output(), "the line that names the address")


def test_two_servers_side_by_side_know_nothing_of_each_other(make_server):
    one, two = make_server(shards=1), make_server(shards=1)
    with one.connect() as first, two.connect() as second:
        first.put("/a", b"1")
        assert second.list() == [] and first.list() == ["/a"]


def test_an_unknown_flag_is_refused_before_anything_is_made(tmp_path):
    done = subprocess.run([PROGRAM, "standalone", "--data-dir", tmp_path / "data", "--sharts", "4"], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode != 0 and "--sharts" in done.stderr + done.stdout and not (tmp_path / "data").exists()


def test_the_ports_of_a_stopped_server_are_free_at_once(make_server):
    server = make_server(shards=1)
    for _ in range(3):
        server.stop()
        server.launch()
        assert server._await_ready(20), server.output()


def test_free_port_gives_ports_below_those_of_the_kernel():
    assert all(10_000 <= free_port() < 32_768 for _ in range(20))


def test_server_paths_are_kept_apart(tmp_path):
    assert Server(tmp_path / "a").data != Server(tmp_path / "b").data
