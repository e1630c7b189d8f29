#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cluster of real processes under load, whose members are killed, hung and restarted at random: what every client was told is kept
and judged for linearizability, and the pauses that clients saw are told.

  cluster_torture.py --faults 20 --seed 7
"""

import argparse
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.cluster import Cluster   # noqa: E402
from support.history import ABSENT, History   # noqa: E402
from support.protocol import KEY_NOT_FOUND, OK, Store   # noqa: E402

RETRY = {grpc.StatusCode.ABORTED}   # refused: certainly not done


class Worker(threading.Thread):
    """One client: asks whoever leads, one thing after the other."""

    def __init__(self, run, number):
        super().__init__(daemon=True)
        self.run_of, self.number = run, number
        self.random = random.Random(f"{run.seed} {number}")
        self.stores = {}
        self.at = number
        self.asked = 0
        self.done_at = []   # of acknowledged puts
        self.given_up = []   # puts and gets that no server answered for `patience` seconds

    def store(self):
        addresses = self.run_of.addresses
        address = addresses[self.at % len(addresses)]
        if address not in self.stores:
            self.stores[address] = Store(address, timeout=0.4)
        return self.stores[address]

    def run(self):
        while not self.run_of.ended.is_set():
            key = f"key-{self.random.randrange(self.run_of.keys):03d}"
            ask = self.get if self.random.random() < 0.5 else self.put
            if not self.until_answered(ask, key):
                self.given_up.append((ask.__name__, key))
        for store in self.stores.values():
            store.close()

    def until_answered(self, ask, key):
        deadline = time.monotonic() + self.run_of.patience
        while time.monotonic() < deadline:
            try:
                if ask(key) is not None:
                    return True
            except grpc.RpcError:
                pass
            if self.run_of.ended.is_set():
                return True
            self.at += 1
            time.sleep(0.003)
        return False

    def put(self, key):
        self.asked += 1
        value = f"{self.number}-{self.asked}".encode()

        def call():
            try:
                return self.store().put(key, value).version.version_id
            except grpc.RpcError as error:
                if error.code() in RETRY:
                    return None
                raise

        version = self.run_of.history.put(key, value, call)
        if version is not None:
            self.done_at.append(time.monotonic())
        return version

    def get(self, key):
        def call():
            answer = self.store().get(key)
            if answer.status == KEY_NOT_FOUND:
                return ABSENT, None
            return (answer.version.version_id, answer.value) if answer.status == OK else None

        return self.run_of.history.get(key, call)


class Torture:
    def __init__(self, folder, seed, workers=4, keys=40, cluster=None):
        self.seed, self.keys = seed, keys
        self.random = random.Random(seed)
        self.cluster = cluster or Cluster(folder)
        self.history = History()
        self.ended = threading.Event()
        self.workers = [Worker(self, number) for number in range(workers)]
        self.pauses = {}   # kind of fault: seconds without an acknowledged put on the shard

    patience = 30

    def given_up(self):
        return [each for worker in self.workers for each in worker.given_up]

    def start(self):
        self.cluster.start()
        self.addresses = [each.address for each in self.cluster.servers.values()]
        for worker in self.workers:
            worker.start()

    def pause_around(self, moment, until):
        """The longest time without an acknowledged put that ends after `moment`."""
        times = sorted(at for worker in self.workers for at in worker.done_at if moment - 1 < at <= until)
        gaps = [later - earlier for earlier, later in zip(times, times[1:]) if later > moment]
        return max(gaps, default=until - moment)

    def fault(self):
        kind = self.random.choice(["kill leader", "kill leader", "hang leader", "kill follower", "kill coordinator", "restart leader"])
        leader = self.cluster.leader()
        followers = [each for each in self.cluster.servers.values() if each is not leader]
        moment = time.monotonic()
        if kind == "kill leader":
            leader.kill()
            self.recover(moment, leader.start)
        elif kind == "restart leader":
            leader.kill()
            leader.start()
            self.recover(moment)
        elif kind == "hang leader":
            leader.pause()
            self.recover(moment, leader.resume)
        elif kind == "kill follower":
            victim = self.random.choice(followers)
            victim.kill()
            self.recover(moment, victim.start)
        else:
            self.cluster.coordinator.kill()
            self.recover(moment, self.cluster.coordinator.start)
        until = time.monotonic()
        pause = self.pause_around(moment, until)
        self.pauses.setdefault(kind, []).append(pause)
        return kind, pause

    def recover(self, moment, mend=None):
        """Waits until writes flow, mends what was broken and waits until all is whole again."""
        deadline = time.monotonic() + 30
        flowing = lambda since: sum(at > since for worker in self.workers for at in worker.done_at[-50:]) > 20   # noqa: E731
        while not flowing(moment + 0.01):
            assert time.monotonic() < deadline, "no write was acknowledged for 30 s after a fault\n" + self.cluster.coordinator.output()[-4000:]
            time.sleep(0.02)
        time.sleep(0.2 + self.random.random() * 0.8)   # faults shall come at any time
        if mend:
            mend()
        self.cluster.await_leaders()
        time.sleep(self.random.random())

    def finish(self):
        self.ended.set()
        for worker in self.workers:
            worker.join(20)
        for number in range(self.keys):
            self.final_read(f"key-{number:03d}")

    def final_read(self, key):
        with self.cluster.leader_store() as store:
            def call():
                answer = store.get(key)
                return (ABSENT, None) if answer.status == KEY_NOT_FOUND else (answer.version.version_id, answer.value)

            self.history.get(key, call)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = tempfile.mkdtemp(prefix="skerry-cluster-")
    print(f"seed {seed}", flush=True)
    torture = Torture(folder, seed, arguments.workers)
    print(f"logs in {folder}", flush=True)
    try:
        torture.start()
        for number in range(arguments.faults):
            kind, pause = torture.fault()
            print(f"{number + 1:4d} of {arguments.faults}  {kind:18s} longest time without an acknowledged put {pause * 1000:7.0f} ms", flush=True)
        torture.finish()
    finally:
        torture.cluster.stop()
    wrong = torture.history.violations()
    for kind, pauses in sorted(torture.pauses.items()):
        print(f"{kind:18s} {len(pauses):3d} times: median {statistics.median(pauses) * 1000:.0f} ms, longest {max(pauses) * 1000:.0f} ms")
    counts = torture.history.counts()
    print(f"{counts['puts']} puts acknowledged, {counts['unanswered']} without an answer, {counts['gets']} gets")
    if wrong:
        print(f"NOT LINEARIZABLE, seed {seed}", *wrong[:20], sep="\n  ")
        return 1
    if unserved := torture.given_up():
        print(f"NOT ANSWERED, seed {seed}", *unserved[:20], sep="\n  ")
        return 1
    shutil.rmtree(folder)
    print("linearizable, nothing acknowledged is lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
