# SPDX-License-Identifier: Apache-2.0
"""Backups of a cluster's namespaces, and namespaces of a cluster made from them."""

import json
import subprocess

import pytest

from support.cli import Client, run
from support.cluster import Cluster
from support.server import PROGRAM, eventually

FAILED, USAGE, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 5


@pytest.fixture
def make(tmp_path):
    made = []

    def start(**wishes):
        cluster = Cluster(tmp_path / str(len(made)), **wishes)
        made.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in made:
        cluster.stop()


def address_of(cluster):
    return next(each.address for each in cluster.servers.values() if each.running())


def fill(address, records, size=100, space="default"):
    lines = "".join(json.dumps({"key": f"/key{n:05}", "value": chr(97 + n % 26) * size}) + "\n" for n in range(records))
    done = Client(address)("put", "-n", space, "--json-lines", stdin=lines, timeout=60)
    assert done.status == 0, done


def records(address, space="default"):
    return Client(address)("range-scan", "-n", space, "-o", "json", timeout=60).lines


def backup(address, *words, **options):
    return run("backup", "-a", address, *words, timeout=60, **options)


def restore(address, *words, **options):
    return run("restore", "-a", address, *words, timeout=60, **options)


def shards_of(cluster, space):
    def listed():
        done = run("admin", "-a", cluster.coordinator.address, "shard", "list", "-o", "json")
        return done if done.status == 0 else None
    return [each for each in eventually(listed, "a list of shards", 20).json if each["namespace"] == space]


def await_replicas(cluster, space, count):
    def all_there():
        shards = shards_of(cluster, space)
        voters = [[each for each in shard["replicas"] if each["kind"] == "voter"] for shard in shards]
        return shards and all(shard["serving"] for shard in shards) and all(len(each) == count for each in voters)
    eventually(all_there, f"{count} replicas of each shard of {space}", 60)


def test_a_restored_namespace_holds_the_same_records_and_becomes_as_safe_as_the_first(make, tmp_path):
    cluster = make(namespaces=[{"name": "default", "initialShardCount": 2, "replicationFactor": 3}])
    fill(address_of(cluster), 500)
    Client(address_of(cluster))("put", "/key00000", "again")
    file = tmp_path / "default.skerry"
    saved = backup(cluster.coordinator.address, "-f", file, "-o", "json")
    assert saved.status == 0, saved
    assert saved.json["shards"] == 2 and saved.json["records"] >= 500
    back = restore(cluster.coordinator.address, "-n", "copy", "-f", file)
    assert back.status == 0, back
    assert "Restored namespace copy: 2 shards" in back.err
    wanted = records(address_of(cluster))
    assert len(wanted) == 500 and records(address_of(cluster), "copy") == wanted
    await_replicas(cluster, "copy", 3)
    cluster.servers[shards_of(cluster, "copy")[0]["leader"]].kill()
    eventually(lambda: records(address_of(cluster), "copy") == wanted, "the same records from the others", 30)
    assert Client(address_of(cluster))("put", "-n", "copy", "/key00001", "new").status == 0
    assert Client(address_of(cluster))("get", "/key00001").out.strip() != "new"


def test_backups_go_from_a_standalone_into_a_cluster_and_back(make, make_server, tmp_path):
    one, cluster = make_server(shards=3), make()
    fill(one.address, 300)
    out, home = tmp_path / "out.skerry", tmp_path / "home.skerry"
    assert backup(one.address, "-f", out).status == 0
    assert restore(cluster.coordinator.address, "-n", "moved", "-f", out).status == 0
    assert records(address_of(cluster), "moved") == records(one.address)
    await_replicas(cluster, "moved", 3)   # nobody said how many
    assert backup(cluster.coordinator.address, "-n", "moved", "-f", home).status == 0
    assert restore(one.address, "-n", "returned", "-f", home).status == 0
    assert records(one.address, "returned") == records(one.address)


def test_what_was_split_is_restored_as_it_was(make, make_server, tmp_path):
    cluster, one = make(), make_server(shards=1)
    fill(address_of(cluster), 200)
    split = run("admin", "-a", cluster.coordinator.address, "shard", "split", "-n", "default", "--shard", "0", "--split-point", "1000000000")
    assert split.status == 0, split
    eventually(lambda: len(shards_of(cluster, "default")) == 2, "two shards", 30)
    file = tmp_path / "split.skerry"
    saved = backup(cluster.coordinator.address, "-f", file, "-o", "json")
    assert saved.status == 0 and saved.json["shards"] == 2, saved
    assert restore(cluster.coordinator.address, "-n", "copy", "-f", file).status == 0
    assert sorted(each["min_hash"] for each in shards_of(cluster, "copy")) == [0, 1000000000]
    assert restore(one.address, "-n", "copy", "-f", file).status == 0
    wanted = records(address_of(cluster))
    assert len(wanted) == 200 and records(address_of(cluster), "copy") == wanted and records(one.address, "copy") == wanted


def half_of(file):
    return file.read_bytes()[: file.stat().st_size // 2]


def begin_restore(cluster, bytes_so_far, name="copy"):
    """A restore that waits for the rest of its backup."""
    going = subprocess.Popen([PROGRAM, "restore", "-a", cluster.coordinator.address, "-n", name], stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    going.stdin.write(bytes_so_far)
    going.stdin.flush()
    again = lambda: restore(cluster.coordinator.address, "-n", name, stdin=bytes_so_far, text=False)
    eventually(lambda: b"just being restored" in again().err, "a restore under way", 30)
    return going


@pytest.mark.parametrize("who", ["client", "coordinator", "servers"])
def test_a_restore_that_is_cut_off_leaves_nothing_and_can_be_run_again(make, tmp_path, who):
    cluster = make(namespaces=[{"name": "default", "initialShardCount": 2, "replicationFactor": 3}])
    fill(address_of(cluster), 2000, size=2000)
    file = tmp_path / "default.skerry"
    assert backup(cluster.coordinator.address, "-f", file).status == 0
    going = begin_restore(cluster, half_of(file))
    if who == "client":
        going.kill()
    elif who == "coordinator":
        cluster.coordinator.kill()
        cluster.coordinator.start()
    else:
        for each in cluster.servers.values():
            each.kill()
            each.start()
    going.stdin.close()
    assert going.wait(60) != 0
    going.stderr.close()
    cluster.await_leaders()
    assert all(each["state"] == "deleting" for each in shards_of(cluster, "copy"))

    def again():
        done = restore(cluster.coordinator.address, "-n", "copy", "-f", file)
        assert done.status in (0, UNAVAILABLE), done   # what was there before is being deleted
        return done.status == 0
    eventually(again, "the whole restore", 60)
    assert records(address_of(cluster), "copy") == records(address_of(cluster))
    assert {each["namespace"] for each in shards_of(cluster, "copy")} == {"copy"}


def test_no_more_than_two_restores_are_under_way_at_once(make, tmp_path):
    cluster = make()
    fill(address_of(cluster), 2000, size=1000)
    file = tmp_path / "default.skerry"
    assert backup(cluster.coordinator.address, "-f", file).status == 0
    going = [begin_restore(cluster, half_of(file), name) for name in ("copy-1", "copy-2")]
    third = restore(cluster.coordinator.address, "-n", "copy-3", "-f", file)
    assert third.status == FAILED and "2 restores are under way already" in third.err, third
    for each in going:
        each.stdin.write(file.read_bytes()[len(half_of(file)):])
        each.stdin.close()
        assert each.wait(30) == 0
        each.stderr.close()
    assert restore(cluster.coordinator.address, "-n", "copy-3", "-f", file).status == 0


def test_a_backup_outlives_the_loss_of_a_leader_and_asks_for_the_coordinator_in_office(make, tmp_path):
    cluster = make(coordinators=3)
    fill(address_of(cluster), 300)
    wanted = records(address_of(cluster))
    cluster.leader().kill()
    out_of_office = next(each for each in cluster.coordinators if not each.in_office())
    file = tmp_path / "default.skerry"
    saved = backup(out_of_office.address, "-f", file)
    assert saved.status == 0, saved
    assert restore(out_of_office.address, "-n", "copy", "-f", file, "--replication-factor", "2").status == 0
    assert records(address_of(cluster), "copy") == wanted


def test_what_can_not_be_is_refused_and_says_why(make, tmp_path):
    cluster = make()
    fill(address_of(cluster), 10)
    file = tmp_path / "default.skerry"
    asked_of_a_server = backup(address_of(cluster), "-f", file)
    assert asked_of_a_server.status == FAILED and "through its coordinator" in asked_of_a_server.err
    assert backup(cluster.coordinator.address, "-n", "other", "-f", file).status == NOT_FOUND
    assert not file.exists()
    assert backup(cluster.coordinator.address, "-f", file).status == 0
    taken = restore(cluster.coordinator.address, "-f", file)
    assert taken.status == FAILED and "exists already" in taken.err
    too_many = restore(cluster.coordinator.address, "-n", "copy", "-f", file, "--replication-factor", "5")
    assert too_many.status == USAGE and "there are 3 servers" in too_many.err
    cut = restore(cluster.coordinator.address, "-n", "copy", stdin=half_of(file), text=False)
    assert cut.status == FAILED, cut
    assert restore(cluster.coordinator.address, "-n", "copy", "-f", file).status in (0, UNAVAILABLE)
