# SPDX-License-Identifier: Apache-2.0
"""What a cluster does when links between its machines are cut. Run by tests/test_cluster_network.py, inside the namespace of the clients:
    scenarios.py NAME FOLDER"""

import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from network.namespaces import Network   # noqa: E402
from support.cluster import Cluster   # noqa: E402
from support.history import History   # noqa: E402
from support.server import eventually   # noqa: E402
from torture.cluster_torture import Worker   # noqa: E402

NAMES = ["one", "two", "three"]
MACHINES = [*NAMES, "coordinator"]


class Load:
    """Clients that write and read all the while; finish() judges what they were told."""

    patience = 30   # of a client with one request

    def __init__(self, cluster):
        self.seed, self.keys = 1, 30
        self.addresses = [each.address for each in cluster.servers.values()]
        self.history, self.ended = History(), threading.Event()
        self.workers = [Worker(self, number) for number in range(3)]
        for worker in self.workers:
            worker.start()

    def acknowledged(self):
        return sum(len(worker.done_at) for worker in self.workers)

    def expect_writes(self, what, seconds=15):
        before = self.acknowledged()
        eventually(lambda: self.acknowledged() > before + 50, f"writes {what}", seconds)

    def longest_pause(self, since):
        times = sorted(at for worker in self.workers for at in worker.done_at if at > since - 1)
        return max((later - earlier for earlier, later in zip(times, times[1:]) if later > since), default=time.monotonic() - since)

    def finish(self):
        self.ended.set()
        for worker in self.workers:
            worker.join(10)
        wrong = self.history.violations()
        assert not wrong, wrong[:5]
        print(self.history.counts())


def on_network(network, folder):
    cluster = Cluster(folder)
    for each in cluster.processes():
        each.host = network.addresses[each.name]
        each.prefix = network.inside(each.name)
        each.extra = ["--insecure"]
    return cluster


def others(cluster, leader):
    return [each for each in cluster.servers.values() if each is not leader]


def cut_off_leader(network, cluster, load):
    """Nobody reaches the leader: another leads, and the old one, asked on its own machine, answers nothing."""
    leader = cluster.leader()
    moment = time.monotonic()
    network.isolate(leader.name)
    eventually(lambda: leads_at(cluster, others(cluster, leader)), "another leader", 15)
    load.expect_writes("at the new leader")
    print(f"longest pause {load.longest_pause(moment) * 1000:.0f} ms")
    status = os.system(" ".join([*network.inside(leader.name), sys.executable, __file__, "ask", f"{leader.host}:{leader.public}"]))
    assert os.waitstatus_to_exitcode(status) == 3, "the leader that was cut off still answers"
    network.mend()
    load.expect_writes("after the cut was mended")


def leader_that_can_not_send(network, cluster, load):
    """What the leader sends to its followers is lost, everything else arrives: it can't commit, says so itself, and is replaced."""
    leader = cluster.leader()
    moment = time.monotonic()
    for each in others(cluster, leader):
        network.cut(leader.name, each.name)
    load.expect_writes("at the new leader")
    print(f"longest pause {load.longest_pause(moment) * 1000:.0f} ms")
    network.mend()
    load.expect_writes("after the cut was mended")


def leader_that_can_not_hear(network, cluster, load):
    """What the followers send to the leader is lost."""
    leader = cluster.leader()
    moment = time.monotonic()
    for each in others(cluster, leader):
        network.cut(each.name, leader.name)
    load.expect_writes("at the new leader")
    print(f"longest pause {load.longest_pause(moment) * 1000:.0f} ms")
    network.mend()
    load.expect_writes("after the cut was mended")


def coordinator_cut_off(network, cluster, load):
    """Without the coordinator data flows."""
    moment = time.monotonic()
    network.isolate("coordinator")
    for _ in range(5):
        load.expect_writes("without a coordinator")
        time.sleep(0.2)
    assert load.longest_pause(moment) < 5, "writes paused though only the coordinator was away"
    network.mend()
    load.expect_writes("with it")


def a_follower_cut_off(network, cluster, load):
    """Two of three go on; the third catches up."""
    leader = cluster.leader()
    away = others(cluster, leader)[0]
    network.isolate(away.name)
    for _ in range(5):
        load.expect_writes("without one follower")
    network.mend()
    others(cluster, leader)[1].kill()   # so that the one that was away is needed
    load.expect_writes("with the one that was away")


def leads_at(cluster, servers):
    from support.protocol import Store
    for each in servers:
        try:
            with Store(each.address, timeout=1) as store:
                store.list("", "!")
                return True
        except Exception:
            continue
    return False


def ask(address):
    """On the leader's own machine: status 3 when it answers no read."""
    import grpc

    from support.protocol import Store
    with Store(address, timeout=2) as store:
        try:
            store.list("", "!")
        except grpc.RpcError:
            return 3
    return 0


SCENARIOS = {each.__name__: each for each in (cut_off_leader, leader_that_can_not_send, leader_that_can_not_hear, coordinator_cut_off,
                                              a_follower_cut_off)}


def main():
    if sys.argv[1] == "ask":
        return ask(sys.argv[2])
    name, folder = sys.argv[1], sys.argv[2]
    network = Network(MACHINES)
    network.stem, network.hub = os.environ["SKERRY_TEST_NETWORK"], os.environ["SKERRY_TEST_NETWORK"] + "-hub"
    cluster = on_network(network, folder)
    try:
        cluster.start()
        load = Load(cluster)
        load.expect_writes("at first")
        SCENARIOS[name](network, cluster, load)
        load.finish()
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
