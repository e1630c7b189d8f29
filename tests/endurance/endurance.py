#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours of everything that users do, on one store that is killed every few minutes: nothing is lost, and nothing grows.

The writers of tests/torture check every acknowledged write after every restart; a crowd beside them uses all the rest and checks what
it is told. One life of the process in the middle is long. All the while memory, descriptors, threads, disk and the store's own
figures are taken from outside and judged by the bounds in verdict.py. Exit status: 0 every bound held, 1 something is broken,
3 nothing is broken but the run was too short to judge everything.
"""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from endurance import report, verdict, watch  # noqa: E402
from endurance.bulk import BulkReader, BulkWriter, Records  # noqa: E402
from endurance.crowd import crowd  # noqa: E402
from support.protocol import ROOT  # noqa: E402
from support.server import PROGRAM  # noqa: E402
from torture.model import Broken  # noqa: E402
from torture.torture import Torture  # noqa: E402

SAMPLE_EVERY = 12.0
NOTIFICATIONS_EVERY = 60.0
SETTINGS = ["--db-cache-size-mb", "64MiB", "--wal-retention-time", "10m", "--wal-retention-bytes", "256MiB"]


class Stopped(Exception):
    """A person has asked the run to end."""


def lives(seconds, long_life, between, chance):
    """How long each life of the process shall be: many short ones, and in their middle one that is long."""
    long_life = min(long_life, seconds / 2)
    before, after = [], []
    for half in (before, after):
        left = (seconds - long_life) / 2
        while left > 0:
            life = min(left, between * chance.uniform(0.7, 1.3))
            life = left if left - life < between * 0.5 else life
            half.append(life)
            left -= life
    return [*before, long_life, *after]


class Endurance(Torture):
    def __init__(self, folder, arguments):
        super().__init__(folder, arguments.shards, arguments.workers, arguments.seed, SETTINGS)
        for worker in self.workers:
            worker.pause, worker.timeout = arguments.workers / arguments.worker_rate, None
        self.records = [Records(arguments.keys // self.shards) for _ in range(self.shards)]
        self.users = [*(BulkWriter(self.server, shard, arguments.seed, self.shards, self.records[shard]) for shard in range(self.shards)),
                      BulkReader(self.server, arguments.seed, self.shards, self.records),
                      *crowd(self.server, arguments.seed, self.shards)]
        for user in self.users:
            user.per_second *= arguments.rate
        self.samples, self.ends, self.drained = [], [], None
        self.life = self.live_checks = 0
        self.stop = threading.Event()

    def run(self, plan):
        self.began = time.monotonic()
        self.start()
        self.restarts.append(time.monotonic() - self.began)
        for user in self.users:
            user.start()
        for self.life, self.length in enumerate(plan, 1):
            self.cycle(self.life)
            print(f"{self.minutes():6.1f} min: life {self.life} of {len(plan)} ended by {self.ends[-1]}; {self.summary()}; "
                  f"the crowd did {sum(user.done for user in self.users)} steps", flush=True)
            if self.stop.is_set():
                break
        self._drain()

    def minutes(self):
        return (time.monotonic() - self.began) / 60

    # --- one life

    def _let_them_work(self):
        self.served = time.monotonic()
        sample_due, notifications_due, end = self.served + SAMPLE_EVERY, self.served + NOTIFICATIONS_EVERY, self.served + self.length
        while time.monotonic() < end and not self.stop.wait(max(0.0, min(sample_due, end) - time.monotonic())):
            self._expect_running()
            self._expect_no_failure()
            if time.monotonic() >= sample_due:
                self.samples.append(watch.take(self.server, self.life, self.began, self.served))
                self._expect_room()
                sample_due += SAMPLE_EVERY
            if time.monotonic() >= notifications_due:
                self._check_notifications_now()
                notifications_due += NOTIFICATIONS_EVERY

    def _expect_no_failure(self):
        for one in (*self.users, *self.workers):
            if one.failure is not None:
                raise Broken(f"{one.name}: {one.failure}")

    def _expect_room(self):
        last = self.samples[-1]
        if last.log_bytes + last.engine_bytes > verdict.DISK:
            raise Broken(f"the data folder has grown to {last.log_bytes + last.engine_bytes} bytes")

    def _check_notifications_now(self):
        with self.server.connect() as store:
            for shard in range(self.shards):
                self._verify_notifications(store, shard, [worker for worker in self.workers if worker.shard == shard], self.life)
        self.live_checks += 1

    def _end_server(self):
        kind = signal.SIGTERM if self.stop.is_set() or self.chance.random() < 0.25 else signal.SIGKILL
        self.ends.append(kind.name)
        self.server.process.send_signal(kind)
        status = self.server.process.wait(60)
        if status != (0 if kind == signal.SIGTERM else -kind):
            raise Broken(f"{kind.name} ended the server with status {status}")

    def _records_of_workers(self, store, shard):
        return [*store.scan("/counter", "/counter~", shard), *store.scan("/w00/", "/w99/", shard)]

    # --- the end

    def _drain(self):
        """Everybody goes; what the store then still holds of them is a leak."""
        for user in self.users:
            user.leave()
        for user in self.users:
            user.join(60)
            if user.is_alive():
                raise Broken(f"{user.name} does not end")
        self._expect_no_failure()
        with self.server.connect() as store:
            for worker in self.workers:
                if worker.writer.state.session is not None:
                    store.close_session(worker.writer.state.session, worker.shard)
        deadline = time.monotonic() + 60
        while True:
            self.drained = watch.figures(self.server.metrics_port)
            gone = all(self.drained[name] <= most for name, most in verdict.DRAINED.items())
            if gone or time.monotonic() > deadline:
                break
            time.sleep(1)
        if self.server.stop(60) != 0:
            raise Broken(f"SIGTERM ended the server with status {self.server.process.returncode}")


def warnings_in(log):
    """Lines of the server's log by level, of those that a person should look at."""
    found = {"warn": 0, "error": 0}
    for line in log.splitlines():
        level = line.split()[1] if len(line.split()) > 1 else ""
        if level in found:
            found[level] += 1
    return found


def run(arguments, folder):
    endurance = Endurance(folder, arguments)
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: endurance.stop.set())
    plan = lives(arguments.minutes * 60, arguments.long_life * 60, arguments.kill_every * 60, random.Random(arguments.seed))
    print(f"seed {arguments.seed}: {len(plan)} lives of {', '.join(f'{life / 60:.1f}' for life in plan)} min, {PROGRAM}", flush=True)
    broken = None
    try:
        endurance.run(plan)
    except Exception as error:  # noqa: BLE001: whatever it is, it is what the run found
        broken = f"{type(error).__name__}: {error}"
        print(f"life {endurance.life}: {broken}\n{endurance.server.output()[-3000:]}", flush=True)
    finally:
        endurance.server.kill()
    if broken:
        kept = ROOT / f"build/endurance-{arguments.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        print(f"data folder and log are kept in {kept}", flush=True)
    return endurance, broken


def commit():
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--hours", type=float)
    length.add_argument("--minutes", type=float)
    parser.add_argument("--long-life", type=float, default=verdict.LONG_LIFE / 60 + 1,
                        help="minutes of the one long life, at most half of the run")
    parser.add_argument("--kill-every", type=float, default=4, help="minutes between the other kills, about")
    parser.add_argument("--rate", type=float, default=1.0, help="all rates of the crowd times this")
    parser.add_argument("--worker-rate", type=float, default=20.0, help="requests a second of the checked writers together")
    parser.add_argument("--keys", type=int, default=45_000, help="records of the bulk load")
    parser.add_argument("--shards", type=int, default=3, choices=(2, 3))
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--samples", type=pathlib.Path, help="write all samples here, as JSON")
    parser.add_argument("--report", type=pathlib.Path, nargs="?", const=ROOT / "docs/endurance.md",
                        help="write docs/endurance.md and docs/endurance.png, or here")
    parser.add_argument("--commit", default=commit(), help="what the program was built from, for the report")
    arguments = parser.parse_args()
    arguments.minutes = arguments.minutes or arguments.hours * 60
    return arguments


def main():
    arguments = parse()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skerry-endurance-"))
    try:
        endurance, broken = run(arguments, folder)
        levels = warnings_in(endurance.server.output())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome = report.Outcome.of(endurance, arguments, broken, levels)
    if arguments.samples:
        outcome.save(arguments.samples)
    if arguments.report:
        outcome.write(arguments.report)
    print(outcome.text(), flush=True)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
