#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a cluster on this machine: three servers and the coordinator share one processor, the load generator has the other. Every
server syncs to disk before it acknowledges. Writes results/cluster.md and .json.

Failures are measured from outside: one client after the other puts through whoever leads, and the longest time between two
acknowledged puts around each failure counts. Changes under load (a split, a move, a drain) are measured by `skerry perf`, whose client
follows them: its puts are due at even intervals, and are timed from when they were due.
"""
import argparse
import json
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import grpc   # noqa: E402

from support import cluster as cluster_support   # noqa: E402
from support.admin import Admin   # noqa: E402
from support.protocol import Store   # noqa: E402
from support.server import PROGRAM, eventually   # noqa: E402

LOAD = ROOT / "build/release/bench/skerry_load"
SERVER_CPU, LOAD_CPU = "0", "1"

# With what Oxia 0.17 was measured to do the same way, for comparison; it is not part of this run.
WORKLOADS = [
    ("puts in batches of 128, 32 in flight", "--batch 128 --in-flight 32", "26k/s"),
    ("single puts, 32 in flight on one stream", "--in-flight 32", "8.4k/s"),
    ("put, one at a time", "--in-flight 1", "p50 0.87 ms"),
    ("puts due at 10,000/s", "--rate 10000 --gather --batch 10000 --in-flight 64", "p50 7.3, p99 175 ms"),
]


class PinnedProcess:
    """Mixed into the processes of a cluster: on the servers' processor."""

    def start(self):
        started = super().start()
        subprocess.run(["taskset", "-a", "-p", "-c", SERVER_CPU, str(self.pid)], check=True, capture_output=True)
        return started


class PinnedServer(PinnedProcess, cluster_support.DataServer):
    pass


class PinnedCoordinator(PinnedProcess, cluster_support.Coordinator):
    pass


def make_cluster(folder, shards=1, servers=3):
    made = cluster_support.Cluster(folder, servers=servers, namespaces=[{"name": "default", "initialShardCount": shards, "replicationFactor": 3}])
    made.coordinator = PinnedCoordinator(folder, "coordinator")
    made.coordinators = [made.coordinator]
    made.servers = {name: PinnedServer(folder, name) for name in made.servers}
    return made


class Prober(threading.Thread):
    """One put after the other through whoever leads; remembers when each was acknowledged."""

    def __init__(self, made, number):
        super().__init__(daemon=True)
        self.addresses = [each.address for each in made.servers.values()]
        self.number, self.at, self.ended = number, number, threading.Event()
        self.acknowledged = []

    def run(self):
        stores = {address: Store(address, timeout=0.1) for address in self.addresses}
        while not self.ended.is_set():
            try:
                stores[self.addresses[self.at % len(self.addresses)]].put(f"probe-{self.number}", b"value")
                self.acknowledged.append(time.monotonic())
            except grpc.RpcError:
                self.at += 1
                time.sleep(0.002)
        for store in stores.values():
            store.close()


def settled_leaders(made):
    """{shard: address}, when all serve and have stayed for two seconds: leaders are spread over the servers soon after a start."""
    while True:
        leaders = made.assignments()["default"]
        for shard in leaders:
            made.leader_store(shard=shard).close()   # it serves
        time.sleep(2)
        if made.assignments()["default"] == leaders:
            return leaders


def measure_load(made, options, seconds, preload, attempts=3):
    """The generator knows no other leader than the first: a run in which one loses its office counts for nothing."""
    leaders = settled_leaders(made)
    addresses = ",".join(leaders[shard] for shard in sorted(leaders))
    command = ["taskset", "-c", LOAD_CPU, str(LOAD), "--address", addresses, "--shards", str(len(leaders)), "--value-bytes", "128", "--seconds", str(seconds),
               "--warm-up", "0.5", *options.split()]
    if not preload:
        command.append("--no-preload")
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    if done.returncode == 0:
        return json.loads(done.stdout)
    if attempts == 1:
        raise SystemExit(f"the generator failed: {done.stderr}")
    print(f"  again: {done.stderr.strip()}", file=sys.stderr, flush=True)
    return measure_load(made, options, seconds, preload, attempts - 1)


def cold_start(folder):
    made = make_cluster(folder)
    made.configure()
    began = time.monotonic()
    try:
        for each in made.processes():
            each.start()
        stores = [Store(each.address, timeout=0.2) for each in made.servers.values()]
        while True:
            for store in stores:
                try:
                    store.put("first", b"value")
                    return time.monotonic() - began
                except grpc.RpcError:
                    continue
            time.sleep(0.01)
    finally:
        made.stop()


def pause_of(made, break_it, mend_it):
    probers = [Prober(made, number) for number in range(3)]
    for prober in probers:
        prober.start()
    try:
        time.sleep(1)
        moment = time.monotonic()
        leader = made.leader()
        moment = time.monotonic()
        break_it(leader)
        time.sleep(3)
    finally:
        for prober in probers:
            prober.ended.set()
        for prober in probers:
            prober.join(5)
    mend_it(leader)
    made.await_leaders()
    time.sleep(1.5)   # until the one that is back has been trusted again
    times = sorted(at for prober in probers for at in prober.acknowledged)
    return max((later - earlier for earlier, later in zip(times, times[1:]) if later > moment), default=float("inf"))


def failures(made, rounds):
    coordinator = made.coordinator
    cases = [
        ("leader killed", lambda leader: leader.kill(), lambda leader: leader.start(), "190–275 ms"),
        ("leader killed and restarted at once", lambda leader: (leader.kill(), leader.start()), lambda leader: None, "3.6–5.6 s"),
        ("leader hung (SIGSTOP)", lambda leader: leader.pause(), lambda leader: leader.resume(), "12.2 s"),
        ("coordinator hung (SIGSTOP)", lambda leader: coordinator.pause(), lambda leader: coordinator.resume(), "none"),
        ("coordinator killed", lambda leader: coordinator.kill(), lambda leader: coordinator.start(), "none"),
    ]
    for name, break_it, mend_it, oxia in cases:
        pauses = []
        for number in range(rounds):
            print(f"  {name}, {number + 1} of {rounds}", file=sys.stderr, flush=True)
            pauses.append(pause_of(made, break_it, mend_it))
        yield {"work": name, "pauses_ms": [pause * 1000 for pause in pauses], "oxia": oxia}


CHANGED_PUTS_A_SECOND = 2000   # that a split, a move or a drain meets


def start_perf(made, seconds, *options):
    addresses = ",".join(each.address for each in made.servers.values())
    return subprocess.Popen(["taskset", "-c", LOAD_CPU, str(PROGRAM), "perf", "-a", addresses, "-p", "0", "-s", "128", "--keys-cardinality", "100000",
                             "--duration", f"{seconds}s", "--warm-up", "500ms", "-o", "json", *options], stdout=subprocess.PIPE, text=True)


def end_perf(running, seconds):
    out = running.communicate(timeout=seconds + 60)[0]
    return json.loads(out.splitlines()[-1])


def changes(made, rounds):
    """What puts take while shards are split, replicas moved and nodes drained, beside what they take in quiet."""
    admin = Admin(made)

    def split():
        shard = next(each["shard"] for each in admin.json("shard", "list") if each["reshape"] is None)
        admin.ok("shard", "split", "-n", "default", "--shard", str(shard))
        eventually(lambda: all(each["serving"] and each["reshape"] is None and each["state"] == "steady" for each in admin.json("shard", "list")),
                   "the split", 60)

    def move():
        shard = admin.json("shard", "list")[0]
        members = {each["node"] for each in shard["replicas"]}
        spare = next(name for name in made.servers if name not in members)
        follower = next(each["node"] for each in shard["replicas"] if each["role"] != "leader")
        admin.ok("shard", "move", str(shard["shard"]), "--from", follower, "--to", spare)
        eventually(lambda: spare in admin.members(shard["shard"]) and follower not in admin.members(shard["shard"]), "the move", 60)

    def drain():
        leader = admin.json("shard", "list")[0]["leader"]
        admin.ok("node", "drain", leader, "--wait")
        admin.ok("node", "undrain", leader)

    for name, change in [("nothing", lambda: None), ("a shard is split", split), ("a replica is moved", move), ("a leader's node is drained", drain)]:
        runs = []
        for number in range(rounds):
            print(f"  puts while {name}, {number + 1} of {rounds}", file=sys.stderr, flush=True)
            running = start_perf(made, 6, "--rate", str(CHANGED_PUTS_A_SECOND))
            time.sleep(1.5)
            change()
            runs.append(end_perf(running, 6))
        yield {"work": f"puts due at {CHANGED_PUTS_A_SECOND:,}/s while {name}", "oxia": "", "changed": runs}


def many_shards(folder, args):
    made = make_cluster(folder, shards=4)
    try:
        made.start()
        print("  puts to four shards", file=sys.stderr, flush=True)
        runs = [measure_load(made, "--keys 25000 --batch 128 --in-flight 32", args.seconds, number == 0) for number in range(args.rounds)]
        return {"work": "puts in batches of 128 to four shards, 32 in flight", "oxia": "", "runs": runs}
    finally:
        made.stop()


def resident_megabytes(process):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def run_all(args):
    results = []
    folder = tempfile.mkdtemp(prefix="skerry-bench-cluster-")
    starts = [cold_start(f"{folder}/cold-{number}") * 1000 for number in range(args.rounds)]
    results.append({"work": "cold start: processes started to first acknowledged put", "pauses_ms": starts, "oxia": "5–11 s"})
    made = make_cluster(f"{folder}/warm")
    try:
        made.start()
        for at, (name, options, oxia) in enumerate(WORKLOADS):
            print(f"  {name}", file=sys.stderr, flush=True)
            runs = [measure_load(made, options, args.seconds, at == 0 and number == 0) for number in range(args.rounds)]
            results.append({"work": name, "oxia": oxia, "runs": runs})
        results.append({"work": "resident memory of each server after it, MB", "oxia": "110 MB",
                        "megabytes": [resident_megabytes(each) for each in made.servers.values()]})
        results.extend(failures(made, args.failures))
    finally:
        made.stop()
    results.append(many_shards(f"{folder}/shards", args))
    made = make_cluster(f"{folder}/four", shards=4, servers=4)
    try:
        made.start()
        results.extend(changes(made, args.rounds))
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return results


def cell(result):
    if "megabytes" in result:
        return ", ".join(f"{each:.0f}" for each in result["megabytes"]), ""
    if "pauses_ms" in result:
        pauses = result["pauses_ms"]
        return f"median {statistics.median(pauses):.0f} ms, longest {max(pauses):.0f} ms", f"{len(pauses)} times"
    if "changed" in result:
        runs = result["changed"]
        middle = {key: statistics.median(run["writes"][key] for run in runs) for key in ("p50_ms", "p99_ms", "p99.9_ms", "max_ms")}
        return (f"p50 {middle['p50_ms']:.2f}, p99 {middle['p99_ms']:.2f}, p99.9 {middle['p99.9_ms']:.1f}, longest {middle['max_ms']:.0f} ms",
                f"{sum(run['failed'] for run in runs)} failed")
    middle = {key: statistics.median(run[key] for run in result["runs"]) for key in result["runs"][0]}
    rates = [run["operations_per_second"] for run in result["runs"]]
    text = (f"{middle['operations_per_second']:,.0f}/s, p50 {middle['p50_us'] / 1000:.3f}, p99 {middle['p99_us'] / 1000:.3f}, "
            f"p99.9 {middle['p999_us'] / 1000:.3f} ms")
    return text, f"noise {(max(rates) - min(rates)) / max(statistics.median(rates), 1):.0%}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--failures", type=int, default=9, help="of each kind")
    parser.add_argument("--seconds", type=float, default=2)
    args = parser.parse_args()
    results = run_all(args)
    lines = ["# A cluster of three servers", "",
             f"{platform.processor() or platform.machine()}: three servers and the coordinator on one processor, the generator on the other, "
             f"loopback, values of 128 bytes, one shard of three replicas, every server syncs before it acknowledges. Medians of "
             f"{args.rounds} runs of {args.seconds:g} s. Oxia's figures were measured the same way on this class of machine, not in this run.", "",
             "| work | Skerry | runs | Oxia |", "|---|---|---|---|"]
    for result in results:
        figures, note = cell(result)
        lines.append(f"| {result['work']} | {figures} | {note} | {result['oxia']} |")
    out = ROOT / "bench/results"
    out.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (out / "cluster.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "cluster.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
