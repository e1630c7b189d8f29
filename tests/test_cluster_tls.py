# SPDX-License-Identifier: Apache-2.0
"""Nodes and coordinators prove to each other who they are; who can't, joins nothing."""

import pytest

from support.certificates import Authority, replace
from support.cluster import Cluster
from support.server import eventually


def mutual(authority, name, **options):
    certificate, key = authority.make(name, **options)
    own = ["--internal-tls-cert-file", certificate, "--internal-tls-key-file", key, "--internal-tls-trusted-ca-file", authority.certificate,
           "--internal-tls-client-auth"]
    towards = ["--peer-tls-cert-file", certificate, "--peer-tls-key-file", key, "--peer-tls-trusted-ca-file", authority.certificate]
    return [str(word) for word in [*own, *towards]]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def cluster(tmp_path, authority):
    made = Cluster(tmp_path)
    for each in made.processes():
        each.extra = mutual(authority, each.name)
    try:
        yield made
    finally:
        made.stop()


def test_a_cluster_whose_members_prove_who_they_are(cluster):
    cluster.start()
    cluster.put("key", b"value")
    leader = cluster.leader()
    leader.kill()
    cluster.await_other_leader(leader)
    with cluster.leader_store() as store:
        assert store.get("key").value == b"value"


def test_a_server_with_a_certificate_of_somebody_else_is_left_out(tmp_path, cluster):
    stranger = cluster.servers["three"]
    stranger.extra = mutual(Authority(tmp_path / "other-ca"), "three")
    cluster.start()
    cluster.put("key", b"value")   # the two others are a majority
    assert "joined a cluster" not in stranger.output()
    eventually(lambda: "server=three" in cluster.coordinator.output() and "certificate" in cluster.coordinator.output(), "the reason")


def test_a_server_whose_certificate_has_expired_is_left_out_until_it_has_a_new_one(authority, cluster):
    late = cluster.servers["three"]
    late.extra = mutual(authority, "three", days=-1)
    cluster.start()
    cluster.put("key", b"value")
    assert "joined a cluster" not in late.output()
    eventually(lambda: "server=three" in cluster.coordinator.output() and "expired" in cluster.coordinator.output(), "the reason")
    for old, new in zip((late.extra[1], late.extra[3]), authority.make("three")):
        replace(old, new.read_bytes())
    eventually(lambda: "joined a cluster" in late.output(), "the server to be taken, without a restart")


def test_a_coordinator_without_a_certificate_is_not_obeyed(cluster):
    cluster.coordinator.extra = []
    cluster.configure()
    for each in cluster.processes():
        each.start()
    eventually(lambda: "a connection was turned away" in cluster.servers["one"].output(), "the server's word")
    assert all("joined a cluster" not in each.output() for each in cluster.servers.values())
    assert cluster.assignments() is None


