# SPDX-License-Identifier: Apache-2.0
"""The cluster has one configuration, whoever of its coordinators acts, and their files follow it."""

import os

import pytest

from support.admin import Admin
from support.cluster import Cluster
from support.server import eventually

DEFAULT = {"name": "default", "initialShardCount": 1, "replicationFactor": 3}
MORE = {"name": "more", "initialShardCount": 2, "replicationFactor": 3}


@pytest.fixture
def make(tmp_path):
    made = []

    def start(coordinators):
        cluster = Cluster(tmp_path, coordinators=coordinators)
        made.append(cluster)
        return cluster.start(), Admin(cluster)

    yield start
    for cluster in made:
        cluster.stop()


def namespaces(admin):
    """None while no coordinator is in office."""
    done = admin("namespace", "list", "-o", "json")
    return sorted(each["name"] for each in done.json) if done.status == 0 else None


def await_namespaces(admin, *names):
    eventually(lambda: namespaces(admin) == list(names), f"the namespaces {names}")


def await_shards_led(admin, name):
    def led():
        done = admin("shard", "list", "-o", "json")
        shards = [each for each in done.json if each["namespace"] == name] if done.status == 0 else []
        return shards and all(each["serving"] for each in shards)
    eventually(led, f"that {name} serves")


def save_again(cluster, admin, *names):
    """The file of whoever is in office, until the cluster has these namespaces."""
    def taken():
        if leader := cluster.in_office():
            os.utime(leader.config_file)
        return namespaces(admin) == list(names)
    eventually(taken, f"the namespaces {names}")


def another_in_office(cluster, than):
    found = eventually(cluster.in_office, "a coordinator in office")
    assert found is not than
    return found


def test_what_an_operator_made_is_there_after_a_change_of_coordinators(make):
    cluster, admin = make(3)
    admin.ok("namespace", "create", "more", "--initial-shards", "2", "--replication-factor", "3")
    for each in cluster.coordinators:
        eventually(lambda each=each: "more" in each.config_file.read_text(), f"that the file of {each.name} follows")
    first = cluster.in_office()
    first.kill()
    another_in_office(cluster, first)
    await_namespaces(admin, "default", "more")
    await_shards_led(admin, "more")
    admin.ok("namespace", "delete", "more", "--yes")
    first.start()
    eventually(lambda: "more" not in first.config_file.read_text(), "that the file of the one that was away follows")
    await_namespaces(admin, "default")


def test_a_file_saved_at_the_coordinator_in_office_is_the_configuration_of_all(make):
    cluster, admin = make(3)
    first = cluster.in_office()
    cluster.configure([first], [DEFAULT, MORE])
    await_namespaces(admin, "default", "more")
    first.kill()
    another_in_office(cluster, first)
    await_namespaces(admin, "default", "more")
    await_shards_led(admin, "more")


def test_a_file_saved_at_another_coordinator_counts_only_when_it_is_saved_again_in_office(make):
    cluster, admin = make(3)
    first = cluster.in_office()
    others = [each for each in cluster.coordinators if each is not first]
    cluster.configure(others, [DEFAULT, MORE])
    for each in others:
        eventually(lambda each=each: "the file differs" in each.output(), f"that {each.name} says so")
    first.kill()
    second = another_in_office(cluster, first)
    eventually(lambda: second.output().count("the file differs") >= 2, "that it says so again")
    await_namespaces(admin, "default")
    save_again(cluster, admin, "default", "more")


def test_files_that_change_while_all_coordinators_are_away_count_when_they_are_saved_again(make):
    cluster, admin = make(3)
    for each in cluster.coordinators:
        each.kill()
    cluster.configure(namespaces=[DEFAULT, MORE])
    for each in cluster.coordinators:
        each.start()
    leader = eventually(cluster.in_office, "a coordinator in office")
    eventually(lambda: "the file differs" in leader.output(), "that it says so")
    await_namespaces(admin, "default")
    save_again(cluster, admin, "default", "more")


def test_the_file_of_a_coordinator_alone_counts_also_when_it_changes_while_that_is_away(make):
    cluster, admin = make(1)
    cluster.coordinator.kill()
    cluster.configure(namespaces=[DEFAULT, MORE])
    cluster.coordinator.start()
    eventually(cluster.in_office, "the coordinator in office")
    await_namespaces(admin, "default", "more")
