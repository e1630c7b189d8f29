# SPDX-License-Identifier: Apache-2.0
"""Links between servers, and from the coordinator to them, that take their time."""

import contextlib
import random

import pytest

from support.admin import Admin
from support.cluster import Cluster
from support.server import eventually
from support.slow_link import SlowLink
from torture.cluster_torture import Torture

FAR = 0.03       # each way: another city
TOO_FAR = 1.5    # each way: no lease lives that long


@pytest.fixture
def links_and_cluster(tmp_path):
    cluster = Cluster(tmp_path)
    with contextlib.ExitStack() as stack:
        links = {name: stack.enter_context(SlowLink(server.internal)) for name, server in cluster.servers.items()}
        for name, server in cluster.servers.items():
            server.called_at = links[name].address
        try:
            yield links, cluster
        finally:
            cluster.stop()


def acknowledged(torture):
    return sum(len(worker.done_at) for worker in torture.workers)


def await_writes(torture, count):
    before = acknowledged(torture)
    eventually(lambda: acknowledged(torture) > before + count, f"{count} more writes", 60)


def test_a_cluster_over_slow_links_serves_and_elects_as_over_fast_ones(links_and_cluster, tmp_path):
    links, cluster = links_and_cluster
    seed = random.SystemRandom().randrange(1_000_000)
    torture, admin = Torture(tmp_path, seed, cluster=cluster), Admin(cluster)
    torture.start()
    await_writes(torture, 50)
    for link in links.values():
        link.delay = FAR
    await_writes(torture, 50)
    first = cluster.leader()
    first.kill()
    cluster.await_other_leader(first)
    await_writes(torture, 50)
    first.start()
    eventually(admin.whole, "all replicas", 60)
    torture.finish()
    assert torture.given_up() == [], f"seed {seed}"
    assert torture.history.violations() == [], f"seed {seed}"


def test_a_leader_too_far_from_the_others_is_replaced_and_comes_back(links_and_cluster, tmp_path):
    links, cluster = links_and_cluster
    seed = random.SystemRandom().randrange(1_000_000)
    torture, admin = Torture(tmp_path, seed, cluster=cluster), Admin(cluster)
    torture.start()
    await_writes(torture, 50)
    first = cluster.leader()
    links[first.name].delay = TOO_FAR   # on what others and the coordinator have opened to it
    cluster.await_other_leader(first)
    await_writes(torture, 50)
    links[first.name].delay = 0
    eventually(admin.whole, "all replicas", 60)
    torture.finish()
    assert torture.given_up() == [], f"seed {seed}"
    assert torture.history.violations() == [], f"seed {seed}"
