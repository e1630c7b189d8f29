# SPDX-License-Identifier: Apache-2.0
"""What operators do with a cluster, through its coordinator: look, change, move, drain."""

import pytest

from support.admin import Admin
from support.cli import Client, run
from support.cluster import Cluster, DataServer
from support.json_api import request
from support.server import eventually, free_port

FAILED, USAGE, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 5


@pytest.fixture
def make(tmp_path):
    made = []

    def start(**wishes):
        cluster = Cluster(tmp_path, **wishes)
        made.append(cluster)
        cluster.start()
        return cluster, Admin(cluster)

    yield start
    for cluster in made:
        cluster.stop()


def serving(admin, number=0):
    return eventually(lambda: admin.shard(number)["serving"] and admin.shard(number), "a leader that serves")


def test_status_shows_nodes_namespaces_and_what_waits(make):
    cluster, admin = make()
    shard = serving(admin)
    assert shard["leader"] == cluster.leader().name and len(shard["replicas"]) == 3 and shard["state"] == "steady"
    status = admin.json("cluster", "status")
    assert status["configured"] and status["epoch"] >= 1 and status["coordinator"] == cluster.coordinator.address
    assert sorted(node["name"] for node in status["nodes"]) == ["one", "three", "two"]
    assert all(node["condition"] == "serving" and node["version"] for node in status["nodes"])
    table = eventually(lambda: "1 shards, each with a leader" in admin.ok("cluster", "status").out and admin.ok("cluster", "status").out,
                       "nothing that waits")
    assert "NAMESPACE" in table and "default" in table
    assert admin.ok("node", "list").lines[0].split()[:3] == ["NODE", "NAME", "CONDITION"]
    assert admin.ok("node", "list", "-o", "name").lines == ["one", "two", "three"]
    assert "leader: \"" in admin.ok("shard", "list", "-o", "yaml").out
    leader = cluster.leader()
    leader.kill()
    eventually(lambda: admin.node(leader.name)["condition"] == "failed", "the failure")
    eventually(lambda: admin.shard()["leader"] not in (None, leader.name) and admin.shard()["serving"], "another leader")


def test_top_shows_a_cluster(make):
    cluster, admin = make()
    serving(admin)
    shown = run("top", "--coordinator", cluster.coordinator.address, "--once", "-i", "300ms")
    assert shown.status == 0 and "CONDITION" in shown.out and "one" in shown.out and "REPLICAS" in shown.out
    for_programs = run("top", "--coordinator", cluster.coordinator.address, "--once", "-i", "300ms", "-o", "json").json
    assert for_programs["shards"][0]["writes_per_second"] >= 0 and len(for_programs["nodes"]) == 3


def test_servers_are_listed_added_and_taken_away_in_oxias_words(make, tmp_path):
    cluster, admin = make(servers=3)
    listed = admin.ok("dataserver", "list")
    assert listed.lines[0].split() == ["NAME", "PUBLIC", "INTERNAL", "STATE"]
    one = cluster.servers["one"]
    assert listed.lines[1].split() == ["one", one.address, one.internal_address, "RUNNING"]
    four = cluster.servers["four"] = DataServer(tmp_path, "four")
    added = admin.ok("dataserver", "create", "four", "--public", four.address, "--internal", four.internal_address, "--label", "rack=b")
    assert added.lines[1].split()[0] == "four"
    assert "four" in cluster.config_file.read_text() and "rack" in cluster.config_file.read_text()
    four.start()
    eventually(lambda: admin.json("dataserver", "get", "four")["state"] == "RUNNING", "the fourth server")
    assert admin.json("dataserver", "get", "four")["labels"] == {"rack": "b"}
    admin.ok("dataserver", "patch", "four", "--label", "rack=c")
    assert "label rack=c" in admin.ok("dataserver", "get", "four").out
    admin.ok("dataserver", "delete", "four")
    assert admin.ok("dataserver", "list", "-o", "name").lines == ["one", "two", "three"]
    eventually(lambda: "four" not in admin.ok("node", "list", "-o", "name").lines, "its leave")


def test_a_namespace_made_through_the_coordinator_outlives_it(make):
    cluster, admin = make()
    made = admin.ok("namespace", "create", "logs", "--initial-shards", "2", "--key-sorting", "natural")
    assert made.lines[1].split() == ["logs", "2", "3", "true", "natural"]   # three copies without being told
    assert "logs" in cluster.config_file.read_text()
    cluster.namespaces.append({"name": "logs"})
    cluster.await_leaders()
    client = Client(cluster.servers["one"].address)
    assert client("put", "-n", "logs", "--key-sorting", "natural", "/a", "1").status == 0
    cluster.coordinator.kill()
    cluster.coordinator.start()
    eventually(lambda: admin("namespace", "get", "logs").status == 0, "the coordinator")
    assert client("get", "-n", "logs", "--key-sorting", "natural", "/a").out.strip() == "1"
    patched = admin.json("namespace", "patch", "logs", "--replication-factor", "1")
    assert patched[0]["replication_factor"] == 1
    eventually(lambda: all(len(each["replicas"]) == 1 for each in admin.json("shard", "list", "-n", "logs")), "one copy of each", 30)
    admin.ok("namespace", "delete", "logs", "--yes")
    assert "logs" not in admin.ok("namespace", "list", "-o", "name").lines
    assert "logs" not in cluster.config_file.read_text()
    eventually(lambda: admin.json("shard", "list", "-n", "logs") == [], "the end of its shards")


def test_a_leader_moves_to_where_it_is_wished(make):
    cluster, admin = make()
    cluster.put("key", b"value")
    leader = serving(admin)["leader"]
    other = next(name for name in cluster.servers if name != leader)
    assert admin.json("leader", "move", "0", "--to", other) == {"shard": 0, "to": other}
    eventually(lambda: admin.shard()["leader"] == other and admin.shard()["serving"], "the other leader")
    with cluster.leader_store() as store:
        assert store.get("key").value == b"value"


def test_a_drained_node_can_be_switched_off(make):
    cluster, admin = make(servers=4)
    cluster.put("key", b"value")
    leaving = serving(admin)["leader"]
    done = admin.ok("node", "drain", leaving, "--wait")
    assert f"{leaving} is empty" in done.err
    assert leaving not in admin.members() and len(admin.members()) == 3
    assert admin.node(leaving)["draining"] and admin.node(leaving)["replicas"] == 0
    assert admin.json("dataserver", "get", leaving)["state"] == "DRAINING"
    cluster.servers[leaving].kill()
    with cluster.leader_store() as store:
        assert store.get("key").value == b"value"
    assert admin.json("node", "undrain", leaving) == {"node": leaving, "draining": False}
    assert not admin.node(leaving)["draining"]


def test_a_replica_moves_from_one_node_to_another(make):
    cluster, admin = make(servers=4)
    cluster.put("key", b"value")
    serving(admin)
    before = admin.members()
    spare = next(name for name in cluster.servers if name not in before)
    follower = next(name for name in before if name != admin.shard()["leader"])
    admin.ok("shard", "move", "0", "--from", follower, "--to", spare)
    eventually(lambda: admin.members() == sorted({*before, spare} - {follower}), "the new members")
    eventually(lambda: len(admin.shard()["replicas"]) == 3, "the former replica's deletion")


def test_what_is_wrong_is_refused_with_the_reason(make):
    cluster, admin = make()
    serving(admin)
    for words, status, says in [
        (["node", "drain", "thre"], NOT_FOUND, "did you mean three?"),
        (["node", "drain", "one"], USAGE, "3 replicas are wanted"),
        (["leader", "move", "77", "--to", "one"], NOT_FOUND, "no shard 77"),
        (["shard", "move", "0", "--from", "one", "--to", "two"], USAGE, ""),
        (["shard", "split", "-n", "default", "--shard", "77"], NOT_FOUND, "no shard 77"),
        (["shard", "split", "-n", "other", "--shard", "0"], NOT_FOUND, "is of the namespace default"),
        (["shard", "split", "-n", "default", "--shard", "0", "--split-point", "0"], USAGE, "first hash of its second half"),
        (["shard", "merge", "-n", "default", "--left", "0", "--right", "1"], NOT_FOUND, "no shard 1"),
        (["shard", "merge", "-n", "default", "--left", "0", "--right", "0"], USAGE, "only neighbours are merged"),
        (["dataserver", "delete", "one"], USAGE, "replicas"),
        (["dataserver", "get", "ten"], NOT_FOUND, "no server"),
        (["dataserver", "create", "one", "--public", "a:1", "--internal", "a:2"], FAILED, "exists already"),
        (["dataserver", "create", "x", "--public", "nonsense", "--internal", "a:2"], USAGE, "public address"),
        (["dataserver", "create", "x", "--public", "a:1"], USAGE, "--internal"),
        (["dataserver", "patch", "one"], USAGE, "nothing to change"),
        (["dataserver", "patch", "one", "--label", "rack"], USAGE, "KEY=VALUE"),
        (["namespace", "create", "x", "--replication-factor", "4"], USAGE, "servers"),
        (["namespace", "create", "default"], FAILED, "exists already"),
        (["namespace", "get", "defaul"], NOT_FOUND, "did you mean default?"),
        (["cluster", "state"], USAGE, "did you mean status?"),
    ]:
        refused = admin(*words)
        assert refused.status == status and says in refused.err and refused.out == "", (words, refused)


def test_a_node_and_a_standalone_say_who_manages_clusters(make, make_server):
    cluster, _ = make(servers=1)
    refused = run("admin", "-a", cluster.servers["one"].address, "cluster", "status")
    server, coordinator = cluster.servers["one"].address, cluster.coordinator.address
    assert refused.status == FAILED and "is no coordinator" in refused.err and server in refused.err
    refused = run("admin", "-a", server, "namespace", "list")
    assert refused.status == FAILED and "neither a standalone nor a coordinator" in refused.err
    refused = run("backup", "-a", server)
    assert refused.status == FAILED and "through its coordinator" in refused.err
    refused = run("client", "-a", coordinator, "--request-timeout", "5s", "get", "/a")
    assert refused.status == FAILED and "holds no records" in refused.err and "cluster's server" in refused.err, refused
    alone = make_server(shards=1)
    refused = run("admin", "-a", alone.address, "node", "list")
    assert refused.status == FAILED and "a standalone has no nodes" in refused.err
    refused = run("admin", "-a", alone.address, "dataserver", "list")
    assert refused.status == FAILED and "`skerry coordinator`" in refused.err
    refused = run("admin", "-a", alone.address, "shard", "split", "-n", "default", "--shard", "0")
    assert refused.status == FAILED and "does not split" in refused.err


def test_metrics_and_json_tell_what_nodes_do_and_hold(tmp_path):
    cluster = Cluster(tmp_path)
    coordinator = cluster.coordinator
    coordinator.metrics_port = free_port()
    try:
        cluster.start()
        leader = cluster.leader()

        def busy():
            cluster.put("k", b"v")
            told = coordinator_metrics(coordinator)
            return told[f'skerry_cluster_node_writes_per_second{{node="{leader.name}"}}'] > 0 and told
        told = eventually(busy, "writes in the metrics")
        assert told[f'skerry_cluster_node_leaders{{node="{leader.name}"}}'] == 1
        for name in cluster.servers:
            assert told[f'skerry_cluster_node_serving{{node="{name}"}}'] == 1
            assert told[f'skerry_cluster_node_replicas{{node="{name}"}}'] == 1
            assert told[f'skerry_cluster_node_memory_bytes{{node="{name}"}}'] > 0
            assert told[f'skerry_cluster_node_disk_free_bytes{{node="{name}"}}'] > 0
        shown = request(coordinator, "/api/skerry.control.v1.Admin/GetCluster", {}).json
        nodes = {each["name"]: each for each in shown["nodes"]}
        assert all(each["heldShards"] == ["0"] and float(each["usage"]["cpu"]) >= 0 for each in nodes.values())
        assert nodes[leader.name]["ledShards"] == ["0"]
    finally:
        cluster.stop()


def coordinator_metrics(coordinator):
    lines = request(coordinator, "/metrics").body.replace('core="0",', '').splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}
