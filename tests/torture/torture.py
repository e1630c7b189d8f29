#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a store under load, starts it again, and compares what it shows with what it acknowledged. Again and again.

Several writers, each with a model of its own records, write one by one or pipelined: puts, conditions, deletions, ranges,
sequences, indexes, sessions, and a counter that they share. In the middle of it the server gets SIGKILL (sometimes SIGTERM, and
sometimes it is killed again while it recovers). After the restart every record, version, index entry, session and notification
must be one that the answers allow. The seed repeats the choices of a run, though not its timing.
"""

import argparse
import pathlib
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.protocol import CREATED, MODIFIED, ROOT  # noqa: E402
from support.server import Server  # noqa: E402
from torture.model import Broken, told  # noqa: E402
from torture.worker import INDEX, Worker, record_of  # noqa: E402

import grpc  # noqa: E402


class Torture:
    def __init__(self, folder, shards, workers, seed, arguments=()):
        self.chance = random.Random(seed)
        self.server = Server(folder, shards=shards, arguments=arguments)
        self.shards = shards
        self.workers = [Worker(n, n % shards, seed) for n in range(workers)]
        self.counter = [0] * shards
        self.read_up_to = [None] * shards
        self.seen = [set() for _ in range(shards)]   # changes that the last look at the notifications found
        self.restarts = []
        self.kept = self.lost = self.ended_early = 0

    def start(self):
        self.server.start()
        with self.server.connect() as store:
            self.read_up_to = [next(store.notifications(shard)).offset for shard in range(self.shards)]

    def cycle(self, number):
        threads = [threading.Thread(target=worker.run, args=(self.server.address,), daemon=True) for worker in self.workers]
        for thread in threads:
            thread.start()
        self._let_them_work()
        self._expect_running()
        self._end_server()
        for thread in threads:
            thread.join(30)
            if thread.is_alive():
                raise Broken("a call did not end though its server had")
        for worker in self.workers:
            if worker.failure is not None:
                raise Broken(f"writer {worker.name} of shard {worker.shard}: {worker.failure}\n{told(worker.writer.history)}")
        self._start_again()
        with self.server.connect() as store:
            for shard in range(self.shards):
                self._verify_shard(store, shard, number)

    def _let_them_work(self):
        time.sleep(self.chance.uniform(0.01, 0.35))

    def _expect_running(self):
        if not self.server.running():
            raise Broken(f"the server ended by itself with status {self.server.process.returncode}")

    def _end_server(self):
        if self.chance.random() < 0.1:
            self.server.process.send_signal(signal.SIGTERM)
            status = self.server.process.wait(30)
            if status != 0:
                raise Broken(f"SIGTERM ended the server with status {status}")
        else:
            self.server.kill()

    def _start_again(self):
        while self.chance.random() < 0.15:   # killed again while it recovers
            self.server.launch()
            time.sleep(self.chance.uniform(0, 0.1))
            self.ended_early += 1
            self.server.kill()
        began = time.monotonic()
        self.server.start()
        self.restarts.append(time.monotonic() - began)

    def _verify_shard(self, store, shard, number):
        records = {record.key: record for record in self._records_of_workers(store, shard)}
        indexed = [(record.key, record) for record in store.scan(shard=shard, index=INDEX)]
        writers = [worker for worker in self.workers if worker.shard == shard]
        self._verify_counter(records.pop("/counter", None), shard, writers)
        records.pop("/marker", None)
        index_of = self._secondary_keys(store, shard, indexed)
        for worker in writers:
            mine = {key: record_of(record, index_of.get(key)) for key, record in records.items() if key.startswith(worker.folder)}
            unanswered = len(worker.writer.unanswered)
            try:
                kept = worker.writer.settle(mine, self._session_alive(store, worker))
            except Broken as broken:
                raise Broken(f"writer {worker.name} of shard {shard}: {broken}\n{told(worker.writer.history)}") from None
            self.kept, self.lost = self.kept + kept, self.lost + unanswered - kept
            for key in mine:
                del records[key]
        if records:
            raise Broken(f"shard {shard} holds records that nobody wrote: {sorted(records)[:10]}")
        self._verify_notifications(store, shard, writers, number)

    def _records_of_workers(self, store, shard):
        return store.scan(shard=shard)   # nobody else writes here

    def _session_alive(self, store, worker):
        if worker.writer.state.session is None:
            return False
        try:
            store.keep_alive(worker.writer.state.session, worker.shard)
            return True
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return False

    def _secondary_keys(self, store, shard, indexed):
        """key -> secondary key, by listing each of them; the whole scan must agree, in order."""
        found = {}
        for n in range(5):
            for key in store.list(str(n), f"{n}~", shard, index=INDEX):
                if key in found:
                    raise Broken(f"{key} stands twice in the index: under {found[key]} and {n}")
                found[key] = str(n)
        if len(indexed) != len(found) or [found.get(key) for key, _ in indexed] != sorted(found.values()):
            raise Broken(f"shard {shard}: the scan of the index is not what its lists say: {[key for key, _ in indexed]} {found}")
        return found

    def _verify_counter(self, record, shard, writers):
        value = int(record.value) if record else 0
        low = self.counter[shard] + sum(worker.increments[0] for worker in writers)
        high = low + sum(worker.increments[1] for worker in writers)
        if not low <= value <= high:
            raise Broken(f"the counter of shard {shard} shows {value}, and must be between {low} and {high}")
        if record and record.version.modifications_count != value - 1:
            raise Broken(f"the counter of shard {shard} shows {value} after {record.version.modifications_count} modifications")
        self.counter[shard] = value

    def _verify_notifications(self, store, shard, writers, number):
        due = [(worker, list(worker.told)) for worker in writers]
        marker = store.put("/marker", str(number), shard=shard).version.version_id
        stream, seen, offset = store.notifications(shard, after=self.read_up_to[shard]), set(), self.read_up_to[shard]
        for batch in stream:
            if batch.offset <= offset:
                raise Broken(f"shard {shard} notified offset {batch.offset} after {offset}")
            offset = batch.offset
            seen |= {(n.key, n.value.version_id) for n in batch.notifications if n.value.type in (CREATED, MODIFIED)}
            if ("/marker", marker) in seen:
                break
        stream.cancel()
        self.read_up_to[shard] = offset
        known, self.seen[shard] = seen | self.seen[shard], seen   # a writer may have taken an answer when the look before was over
        for worker, changes in due:
            missing = sorted(set(changes) - known)
            if missing:
                raise Broken(f"shard {shard}: acknowledged and not notified: {missing[:10]}; the first by {worker.told[missing[0]]}")
            for change in changes:
                del worker.told[change]

    def summary(self):
        acknowledged = sum(worker.acknowledged for worker in self.workers)
        slow = max(self.restarts, default=0)
        return (f"{acknowledged} acknowledged, none lost; of {self.kept + self.lost} unanswered {self.kept} were kept; "
                f"{self.ended_early} killed while recovering; serving again after "
                f"{statistics.median(self.restarts or [0]) * 1000:.0f} ms (median), {slow * 1000:.0f} ms (longest)")


def run(arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skerry-torture-"))
    torture = Torture(folder, arguments.shards, arguments.workers, arguments.seed)
    number = 0
    try:
        torture.start()
        for number in range(1, arguments.cycles + 1):
            torture.cycle(number)
            if number % max(1, arguments.cycles // 10) == 0:
                print(f"{number:6} of {arguments.cycles} cycles: {torture.summary()}", flush=True)
    except Exception as error:
        torture.server.kill()
        kept = ROOT / f"build/torture-{arguments.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        print(f"cycle {number}: {type(error).__name__}: {error}\n"
              f"seed {arguments.seed}; data folder and log are kept in {kept}\n{torture.server.output()[-3000:]}", flush=True)
        return f"cycle {number}, seed {arguments.seed}: {error}"
    finally:
        torture.server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--junit", help="write the result here as well")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}: {arguments.cycles} cycles, {arguments.shards} shards, {arguments.workers} writers", flush=True)
    began = time.monotonic()
    broken = run(arguments)
    if arguments.junit:
        suite = xml.Element("testsuite", name="torture")
        case = xml.SubElement(suite, "testcase", classname="torture", name=f"{arguments.cycles}_kills_lose_nothing_acknowledged",
                              time=f"{time.monotonic() - began:.1f}")
        if broken:
            xml.SubElement(case, "failure", message="".join(c if c.isprintable() else " " for c in broken)[:2000])
        xml.ElementTree(suite).write(arguments.junit, encoding="unicode")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
