# SPDX-License-Identifier: Apache-2.0
"""Backups of a namespace that serves, and namespaces made from them."""

import json
import select
import signal
import socket
import subprocess
import threading

import pytest

from support import raw
from support.cli import Client, run
from support.server import PROGRAM, eventually, free_port

FAILED, USAGE, NOT_FOUND, UNAVAILABLE, UNKNOWN, NOT_ALLOWED = 1, 2, 3, 5, 6, 7


@pytest.fixture(params=[1, 2])
def server(request, make_server):
    """With its shards on one core, and on two."""
    return make_server(shards=3, arguments=["--cores", str(request.param)])


def in_space(server, name, *words, **options):
    return Client(server.address)(words[0], "-n", name, *words[1:], **options)


def fill(server, records, size=100, prefix="/key"):
    lines = "".join(json.dumps({"key": f"{prefix}{n:05}", "value": chr(97 + n % 26) * size}) + "\n" for n in range(records))
    assert Client(server.address)("put", "--json-lines", stdin=lines, timeout=60).status == 0


def backup(server, *words, **options):
    return run("backup", "-a", server.address, *words, timeout=60, **options)


def restore(server, *words, **options):
    return run("restore", "-a", server.address, *words, timeout=60, **options)


def records(server, name="default"):
    return in_space(server, name, "range-scan", "-o", "json", timeout=60).lines


def spaces(server):
    return run("admin", "-a", server.address, "namespace", "list", "-o", "name").lines


def test_a_restored_namespace_holds_the_same_records_with_the_same_versions(server, tmp_path):
    fill(server, 500)
    Client(server.address)("put", "/key00000", "again")
    file = tmp_path / "default.skerry"
    saved = backup(server, "-f", file, "-o", "json")
    assert saved.status == 0, saved
    assert saved.json["namespace"] == "default" and saved.json["shards"] == 3 and saved.json["records"] >= 500
    assert file.stat().st_mode & 0o077 == 0   # as secret as the records
    back = restore(server, "-n", "copy", "-f", file)
    assert back.status == 0, back
    assert "Restored namespace copy: 3 shards" in back.err
    assert records(server, "copy") == records(server)
    assert len(records(server, "copy")) == 500
    assert in_space(server, "copy", "put", "/key00001", "new").status == 0
    assert in_space(server, "copy", "get", "/key00001").out.strip() == "new"
    assert Client(server.address)("get", "/key00001").out.strip() != "new"


def test_a_restored_namespace_outlives_a_kill_and_goes_on(server, tmp_path):
    fill(server, 300, size=2000)
    file = tmp_path / "default.skerry"
    assert backup(server, "-f", file).status == 0
    assert restore(server, "-n", "copy", "-f", file).status == 0
    in_space(server, "copy", "put", "/after", "it")
    wanted = records(server, "copy")
    for _ in range(2):
        server.kill()
        server.start()
        assert records(server, "copy") == wanted


def test_a_backup_goes_through_a_pipe_into_another_store(make_server):
    one, other = make_server(shards=2), make_server(shards=1)
    fill(one, 200)
    saved = backup(one, text=False)
    assert saved.status == 0 and saved.out.startswith(b"SKERRYBK")
    back = restore(other, "-n", "default2", "-o", "json", stdin=saved.out, text=False)
    assert back.status == 0, back
    assert back.json["from"] == "default" and back.json["namespace"] == "default2"
    assert records(other, "default2") == records(one)


def test_each_shard_is_as_of_one_moment_while_writers_go_on(make_server, tmp_path):
    server = make_server(shards=1)
    fill(server, 3000, size=1000)
    stop, written = threading.Event(), []

    def write():   # a batch of records that are always equal
        client = Client(server.address)
        while not stop.is_set():
            value = str(len(written))
            assert client("batch", "--put", f"/pair/0={value}", "--put", f"/pair/1={value}").status == 0
            written.append(value)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: len(written) > 3, "some writes")
        for n in range(3):
            file = tmp_path / f"{n}.skerry"
            assert backup(server, "-f", file).status == 0
            assert restore(server, "-n", f"copy{n}", "-f", file).status == 0
    finally:
        stop.set()
        writer.join()
    for n in range(3):
        pair = [in_space(server, f"copy{n}", "get", f"/pair/{which}").out.strip() for which in range(2)]
        assert pair[0] == pair[1] and pair[0] != ""
        assert len(records(server, f"copy{n}")) == 3002


def test_a_core_makes_two_backups_at_once(make_server, tmp_path):
    server = make_server(shards=1, arguments=["--cores", "1"])
    fill(server, 400, size=100_000)   # more than pipes and connections hold
    held = [subprocess.Popen([PROGRAM, "backup", "-a", server.address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        for each in held:
            assert each.stdout.read(8) == b"SKERRYBK"
        refused = backup(server, "-f", tmp_path / "third")
        assert refused.status == FAILED and "2 backups are being made already" in refused.err
        assert not (tmp_path / "third").exists()
        held[0].kill()
        eventually(lambda: backup(server, "-f", tmp_path / "third").status == 0, "a turn for the third")
    finally:
        for each in held:
            each.kill()
            each.wait()
            each.stdout.close()


def test_a_namespace_that_exists_is_not_restored_over(server, tmp_path):
    fill(server, 10)
    file = tmp_path / "b"
    assert backup(server, "-f", file).status == 0
    refused = restore(server, "-f", file)   # by the name that it was saved under
    assert refused.status == FAILED and 'namespace "default" exists already' in refused.err


def test_a_damaged_or_cut_backup_is_refused_and_nothing_is_left_of_it(make_server, tmp_path):
    server = make_server(shards=2)
    fill(server, 1000, size=1000)
    file = tmp_path / "whole"
    assert backup(server, "-f", file).status == 0
    whole = file.read_bytes()
    assert restore(server, "-f", file, "--check").status == 0
    for name, content in {
        "cut": whole[: len(whole) // 2],
        "shard": whole[:-30],
        "longer": whole + b"more",
        "bit": whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :],
        "empty": b"",
        "other": b"something else, which is longer than a preface",
    }.items():
        bad = tmp_path / name
        bad.write_bytes(content)
        refused = restore(server, "-n", name, "-f", bad)
        assert refused.status == FAILED, (name, refused)
        assert refused.err.startswith("Error: "), refused
        assert restore(server, "-f", bad, "--check").status == FAILED, name
    assert spaces(server) == ["default"]
    assert restore(server, "-n", "cut", "-f", file).status == 0   # the name is free
    server.kill()
    server.start()
    assert spaces(server) == ["cut", "default"]


def test_a_kill_in_the_middle_of_a_restore_leaves_nothing(make_server, tmp_path):
    server = make_server(shards=1)
    fill(server, 2000, size=1000)
    whole = backup(server, text=False).out
    sending = subprocess.Popen([PROGRAM, "restore", "-a", server.address, "-n", "half"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    sending.stdin.write(whole[: len(whole) * 3 // 4])
    sending.stdin.flush()
    eventually(lambda: "half" in run("admin", "-a", server.address, "namespace", "create", "half").err, "the restore to begin")
    server.kill()
    sending.stdin.close()
    assert sending.wait(30) == UNAVAILABLE
    server.start()
    assert spaces(server) == ["default"]
    assert restore(server, "-n", "half", stdin=whole, text=False).status == 0
    assert records(server, "half") == records(server)


def test_a_restore_that_was_sent_whole_and_not_answered_may_have_happened(make_server, tmp_path):
    server = make_server(shards=1)
    file = tmp_path / "b"
    assert backup(server, "-f", file).status == 0
    with socket.create_server(("127.0.0.1", free_port())) as listener:   # passes on until the whole backup was sent, and hangs up
        def is_sent(taken):
            ended = [stream for kind, flags, stream, _ in raw.frames(taken[len(raw.PREFACE):]) if kind == raw.DATA and flags & raw.END_STREAM]
            return len(set(ended)) == 2   # the second call

        def take_calls():
            connection, _ = listener.accept()
            with connection, socket.create_connection(("127.0.0.1", server.port)) as behind:
                taken = b""
                while True:
                    for ready in select.select([connection, behind], [], [], 20)[0]:
                        passed = ready.recv(1 << 16)
                        taken += passed if ready is connection else b""
                        if is_sent(taken):
                            return
                        (behind if ready is connection else connection).sendall(passed)

        taking = threading.Thread(target=take_calls)
        taking.start()
        silent = run("restore", "-a", f"127.0.0.1:{listener.getsockname()[1]}", "-n", "copy", "-f", file)
        taking.join(20)
    assert silent.status == UNKNOWN and "may have been made" in silent.err, silent


def test_a_restore_whose_caller_goes_away_frees_the_name(make_server):
    server = make_server(shards=1)
    fill(server, 2000, size=1000)
    whole = backup(server, text=False).out
    sending = subprocess.Popen([PROGRAM, "restore", "-a", server.address, "-n", "half"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    sending.stdin.write(whole[: len(whole) // 2])
    sending.stdin.flush()
    eventually(lambda: "half" in run("admin", "-a", server.address, "namespace", "create", "half").err, "the restore to begin")
    sending.send_signal(signal.SIGKILL)
    sending.wait(30)
    eventually(lambda: restore(server, "-n", "half", stdin=whole, text=False).status == 0, "the name to be free")
    assert records(server, "half") == records(server)


def test_what_is_asked_for_wrongly_is_said_clearly(make_server, tmp_path):
    server = make_server()
    file = tmp_path / "b"
    missing = backup(server, "-n", "nothing", "-f", file)
    assert missing.status == NOT_FOUND and "there is no namespace" in missing.err and not file.exists()
    file.write_text("precious")
    kept = backup(server, "-f", file)
    assert kept.status == FAILED and "--force" in kept.err and file.read_text() == "precious"
    assert backup(server, "-f", file, "--force").status == 0 and file.read_bytes().startswith(b"SKERRYBK")
    assert backup(server, "-f", tmp_path / "no" / "folder").status == FAILED
    folder = backup(server, "-f", tmp_path, "--force")
    assert folder.status == USAGE and "is a folder" in folder.err, folder
    assert restore(server, "-f", tmp_path / "absent").status == USAGE
    bad_name = restore(server, "-n", "no/name", "-f", file)
    assert bad_name.status == USAGE and "is not a namespace name" in bad_name.err
    server.stop()
    assert backup(server, "-f", tmp_path / "c").status == UNAVAILABLE
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")) == []
