# SPDX-License-Identifier: Apache-2.0
"""The second act of `./dev demo`: three machines, played by processes, that are one store. Clients write and read all the while; the
timeline says what happened to the machines and the longest pause that a client saw, and at the end every answer is judged."""

import pathlib
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.cli import run as command   # noqa: E402
from support.cluster import Cluster, DataServer   # noqa: E402
from support.history import History   # noqa: E402
from support.routed import RoutedStore, RoutedWorker   # noqa: E402
from support.server import eventually   # noqa: E402


class Clients:
    """Who writes and reads while things break."""

    def __init__(self, cluster, workers=4):
        self.cluster, self.seed, self.keys = cluster, 1, 200
        self.history, self.ended = History(), threading.Event()
        # Short enough that a pause is the cluster's own, not that of a client which waits for a server that hangs.
        self.workers = [RoutedWorker(self, number, timeout=0.1) for number in range(workers)]
        for worker in self.workers:
            worker.start()

    @property
    def addresses(self):
        return [each.address for each in self.cluster.servers.values()]

    def acknowledged(self):
        return sorted(at for worker in self.workers for at in worker.done_at)

    def longest_pause(self, since, until):
        times = [at for at in self.acknowledged() if since - 1 < at <= until]
        gaps = [later - earlier for earlier, later in zip(times, times[1:]) if later > since]
        return max(gaps, default=until - since)

    def finish(self):
        self.ended.set()
        for worker in self.workers:
            worker.join(20)


class Timeline:
    def __init__(self, clients):
        self.clients, self.began = clients, time.monotonic()

    def act(self, text, do, done):
        """Does something to the cluster, waits until it is over and writes flow, and tells of it."""
        moment = time.monotonic()
        do()
        eventually(done, text, 30)
        count = len(self.clients.acknowledged())
        eventually(lambda: len(self.clients.acknowledged()) > count + 50, "writes after it", 30)
        now = time.monotonic()
        pause = self.clients.longest_pause(moment, now)
        print(f"   {moment - self.began:6.1f} s  {text:58s} over after {now - moment:4.1f} s, longest pause {pause * 1000:4.0f} ms", flush=True)


def replicas_settled(cluster, version):
    return f"membership {version}: voters" in cluster.coordinator.output().rsplit(" with ", 1)[-1]


def run(folder, prove):
    cluster = Cluster(folder, namespaces=[{"name": "default", "initialShardCount": 1, "replicationFactor": 1}])
    spare = DataServer(folder, "four")
    began = time.monotonic()
    cluster.start()
    print(f"   a coordinator and three servers: led after {(time.monotonic() - began) * 1000:.0f} ms")
    clients = Clients(cluster)
    eventually(lambda: len(clients.acknowledged()) > 200, "some writes")
    timeline = Timeline(clients)
    told = lambda text: lambda: text in cluster.coordinator.output()   # noqa: E731
    try:
        def raise_factor():
            cluster.namespaces[0]["replicationFactor"] = 3
            cluster.configure()

        timeline.act("replication factor raised from 1 to 3", raise_factor, lambda: replicas_settled(cluster, 4))
        victim = cluster.leader()
        timeline.act(f"kill -9 of the leader, {victim.name}", victim.kill, lambda: led_by_another(cluster, victim))
        timeline.act(f"{victim.name} started again", victim.start, lambda: True)
        victim = cluster.leader()
        timeline.act(f"the leader, {victim.name}, hangs (SIGSTOP)", victim.pause, lambda: led_by_another(cluster, victim))
        timeline.act(f"{victim.name} goes on (SIGCONT)", victim.resume, lambda: True)
        timeline.act("kill -9 of the coordinator", cluster.coordinator.kill, lambda: True)
        timeline.act("the coordinator started again", cluster.coordinator.start, told("in office epoch=2"))
        leaving = cluster.leader()

        def swap():
            cluster.servers["four"] = spare.start()
            cluster.configured = [name for name in [*cluster.configured, "four"] if name != leaving.name]
            cluster.configure()

        timeline.act(f"server four joins, {leaving.name} is drained", swap, told("holds nothing any more and is forgotten"))
        timeline.act(f"{leaving.name} taken away", leaving.kill, lambda: True)
        timeline.act("the shard split in two", lambda: split(cluster), lambda: len(cluster.assignments()["default"]) == 2)
        clients.finish()
        read_at_the_end(clients)
    finally:
        clients.ended.set()
        cluster.stop()
        if spare.running():
            spare.kill()
    counts = clients.history.counts()
    wrong = clients.history.violations()
    prove(not wrong, f"{counts['puts']} acknowledged writes and {counts['gets']} reads through all of it are what one store, doing one thing "
                     "at a time, would have answered; none is lost")
    for each in wrong[:5]:
        print(f"     {each}")


def led_by_another(cluster, than):
    leader = (cluster.assignments() or {}).get("default", {}).get(0)
    return leader and leader != than.address


def split(cluster):
    done = command("admin", "-a", cluster.coordinator.address, "shard", "split", "-n", "default", "--shard", "0")
    assert done.status == 0, done


def read_at_the_end(clients):
    store = RoutedStore(lambda: clients.addresses, timeout=5)
    for key in sorted({each.key for each in clients.history.operations}):
        eventually(lambda: clients.history.get(key, lambda: store.get(key)), f"an answer to a get of {key}", 30)   # noqa: B023
    store.close()
