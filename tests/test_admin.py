# SPDX-License-Identifier: Apache-2.0
"""Namespaces that come, change and go while the store runs."""

import json
import signal
import threading

import grpc
import pytest

from support.cli import Client, run
from support.protocol import oxia, put
from support.server import eventually

USAGE, FAILED, NOT_FOUND, UNAVAILABLE, UNKNOWN = 2, 1, 3, 5, 6


class Admin:
    """`skerry admin -a ADDRESS namespace …`"""

    def __init__(self, server):
        self.server = server

    def __call__(self, *words, **options):
        return run("admin", "-a", self.server.address, "namespace", *words, **options)

    def names(self):
        return self("list", "-o", "name").lines

    def shards(self, name):
        return [shard["shard"] for shard in json.loads(self("get", name, "-o", "json").out)["shards"]]


@pytest.fixture(params=[1, 2])
def server(request, make_server):
    """With its shards on one core, and on two."""
    return make_server(shards=2, arguments=["--cores", str(request.param)])


@pytest.fixture
def admin(server):
    return Admin(server)


def in_space(server, name, *words, **options):
    return Client(server.address)(words[0], "-n", name, *words[1:], **options)


def test_a_namespace_made_at_run_time_takes_records_and_outlives_a_kill(server, admin):
    made = admin("create", "logs", "--initial-shards", "3", "--key-sorting", "natural")
    assert made.status == 0 and made.lines[0].split() == ["NAME", "INITIAL_SHARDS", "REPLICATION_FACTOR", "NOTIFICATIONS", "KEY_SORTING"]
    assert made.lines[1].split() == ["logs", "3", "1", "true", "natural"]
    assert admin.names() == ["default", "logs"]
    for n in range(20):
        assert in_space(server, "logs", "put", f"/{n}", str(n)).status == 0
    server.kill()
    server.start()
    assert admin.names() == ["default", "logs"]
    assert len(in_space(server, "logs", "list", "--key-sorting", "natural").lines) == 20
    for words in (["list"], ["list", "--limit", "3"], ["range-scan"]):   # merged in another order than the shards', they would leave keys out
        refused = in_space(server, "logs", *words)
        assert refused.status == 2 and "--key-sorting natural" in refused.err, refused
    assert Client(server.address)("list").lines == []


def test_get_shows_shards_that_cover_every_hash(admin):
    admin("create", "logs", "--initial-shards", "4")
    shown = json.loads(admin("get", "logs", "-o", "json").out)
    assert shown["name"] == "logs" and shown["initial_shard_count"] == 4 and shown["key_sorting"] == "hierarchical"
    shards = shown["shards"]
    assert shards[0]["min_hash"] == 0 and shards[-1]["max_hash"] == 2**32 - 1
    assert all(a["max_hash"] + 1 == b["min_hash"] for a, b in zip(shards, shards[1:]))
    assert [space["name"] for space in json.loads(admin("list", "-o", "json").out)] == ["default", "logs"]
    assert "name: \"logs\"" in admin("get", "logs", "-o", "yaml").out


def test_a_deleted_namespace_is_gone_with_its_records(server, admin):
    admin("create", "logs", "--initial-shards", "2")
    before = admin.shards("logs")
    assert in_space(server, "logs", "put", "/a", "1").status == 0
    assert admin("delete", "logs", "--yes").status == 0
    assert admin.names() == ["default"]
    gone = in_space(server, "logs", "get", "/a")
    assert gone.status == NOT_FOUND and "namespace" in gone.err
    status = server.data / "cluster-status.yaml"
    eventually(lambda: "deletingShards" not in status.read_text(), "the records' deletion")
    assert admin("create", "logs").status == 0
    assert in_space(server, "logs", "list").lines == []
    assert not set(before) & set(admin.shards("logs"))
    server.restart()
    assert in_space(server, "logs", "list").lines == []
    log = run("wal", "verify", "--data-dir", str(server.data), "--json")
    assert log.status == 0
    assert not {str(shard) for shard in before} & {shard for line in log.lines for shard in json.loads(line)["shards"]}


def test_those_who_use_a_namespace_learn_of_its_end(server, admin):
    admin("create", "logs")
    shard = admin.shards("logs")[0]
    with server.connect() as store:
        assignments = store.assignments("logs")
        assert len(next(assignments).namespaces["logs"].assignments) == 1
        changes = store.notifications(shard=shard)
        next(changes)
        over = threading.Event()

        def requests():
            yield oxia.WriteRequest(shard=shard, puts=[put("/a", "1")])
            over.wait(30)

        stream = store.write_stream(requests(), namespace="logs", shard=str(shard))
        next(stream)
        assert admin("delete", "logs", "--yes").status == 0
        with pytest.raises(grpc.RpcError) as ended:
            next(assignments)
        assert ended.value.code() == grpc.StatusCode.NOT_FOUND or "namespace not found" in ended.value.details()
        with pytest.raises(grpc.RpcError):
            while True:
                next(changes)
        # The stream is open and idle: it keeps nobody from deleting what it wrote.
        status = server.data / "cluster-status.yaml"
        eventually(lambda: "deletingShards" not in status.read_text(), "the records' deletion")
        over.set()
        with pytest.raises(grpc.RpcError):
            store.get("/a", shard=shard)


def test_a_kill_after_a_deletion_leaves_nothing_of_it(server, admin):
    admin("create", "logs", "--initial-shards", "2")
    in_space(server, "logs", "put", "/a", "1")
    admin("delete", "logs", "--yes")
    server.kill()
    server.start()
    assert admin.names() == ["default"]
    assert "deletingShards" not in (server.data / "cluster-status.yaml").read_text()


def test_notifications_can_be_switched_while_it_runs(server, admin):
    admin("create", "logs")
    shard = admin.shards("logs")[0]
    with server.connect() as store:
        changes = store.notifications(shard=shard)
        next(changes)
        assert admin("patch", "logs", "--notifications=false").lines[1].split()[3] == "false"
        with pytest.raises(grpc.RpcError):
            next(changes)
        refused = in_space(server, "logs", "notifications")
        assert refused.status != 0 and "notifications not enabled" in refused.err
        assert admin("patch", "logs", "--notifications").status == 0
        changes = store.notifications(shard=shard)
        next(changes)
        in_space(server, "logs", "put", "/a", "1")
        assert [change.key for change in next(changes).notifications] == ["/a"]


@pytest.mark.parametrize("words, status, says", [
    (("create", "default"), FAILED, "exists already"),
    (("create", "../x"), USAGE, "not a namespace name"),
    (("create", "x", "--initial-shards", "0"), USAGE, "1 to 4096"),
    (("create", "x", "--initial-shards", "5000"), USAGE, "1 to 4096"),
    (("create", "x", "--replication-factor", "3"), USAGE, "one copy"),
    (("create", "x", "--key-sorting", "reverse"), USAGE, "hierarchical"),
    (("get", "nothing"), NOT_FOUND, "no namespace"),
    (("patch", "nothing", "--notifications=false"), NOT_FOUND, "no namespace"),
    (("patch", "default"), USAGE, "nothing to change"),
    (("patch", "default", "--replication-factor", "2"), USAGE, "one copy"),
    (("delete", "nothing", "--yes"), NOT_FOUND, "no namespace"),
    (("delete", "default", "--yes"), USAGE, "delete-range"),
    (("delete", "default"), USAGE, "--yes"),
    (("crate", "x"), USAGE, "did you mean create?"),
])
def test_what_is_wrong_is_refused_with_the_reason(make_server, words, status, says):
    server = make_server(shards=1)
    refused = Admin(server)(*words)
    assert refused.status == status and says in refused.err and refused.out == "", refused
    assert Admin(server).names() == ["default"]


def test_no_server_is_told_with_the_address():
    refused = run("admin", "-a", "127.0.0.1:1", "--request-timeout", "1s", "namespace", "list")
    assert refused.status == UNAVAILABLE and "127.0.0.1:1" in refused.err


def test_a_change_that_was_sent_and_not_answered_may_have_happened(make_server):
    server = make_server(shards=1)
    admin = Admin(server)
    assert admin("create", "logs").status == 0
    server.process.send_signal(signal.SIGSTOP)
    try:
        for words in (("namespace", "delete", "logs", "--yes"), ("namespace", "create", "more"), ("namespace", "patch", "logs", "--notifications=false"),
                      ("shard", "split", "-n", "logs", "--shard", "1"), ("shard", "merge", "-n", "logs", "--left", "1", "--right", "2"),
                      ("shard", "move", "1", "--from", "one", "--to", "two"), ("leader", "move", "1", "--to", "two"), ("node", "drain", "two"),
                      ("node", "undrain", "two"), ("dataserver", "delete", "two"), ("dataserver", "patch", "two", "--label", "rack=a"),
                      ("dataserver", "create", "two", "--public", "localhost:1", "--internal", "localhost:2")):
            silent = run("admin", "-a", server.address, "--request-timeout", "300ms", *words)
            assert silent.status == UNKNOWN and "may have been made" in silent.err and server.address in silent.err, (words, silent)
        for words in (("namespace", "list"), ("namespace", "get", "logs"), ("cluster", "status"), ("dataserver", "list")):
            assert run("admin", "-a", server.address, "--request-timeout", "300ms", *words).status == UNAVAILABLE, words
    finally:
        server.process.send_signal(signal.SIGCONT)
    eventually(lambda: "logs" not in admin.names(), "the deletion that was not answered")


def test_a_change_that_reached_no_server_is_safe_to_repeat():
    refused = run("admin", "-a", "127.0.0.1:1", "--request-timeout", "1s", "namespace", "create", "logs")
    assert refused.status == UNAVAILABLE and "127.0.0.1:1" in refused.err
