#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what many shards cost: a cluster of three servers on this machine, each with a replica of every shard. Tells, for each server, the
memory that a shard takes and the processor time that it uses while nothing happens, and how long it takes until all shards that a killed
server led are written to again.

Processor time is what the kernel has counted (utime + stime), so that it is fair on a machine that others use; the time of the takeover is not.

  cluster_scale.py --shards 1000 --idle 20
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import grpc   # noqa: E402

from support.cluster import Cluster   # noqa: E402
from support.protocol import Store, oxia, put   # noqa: E402

NAME = "default"


def memory_of(process):
    """Resident bytes that are not of a file: what a shard makes grow."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise SystemExit("this kernel does not tell RssAnon")


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_cluster(folder, shards):
    made = Cluster(folder, namespaces=[{"name": NAME, "initialShardCount": shards, "replicationFactor": 3}])
    began = time.monotonic()
    made.start(120)
    return made, time.monotonic() - began


def base_memory(folder):
    made, _ = make_cluster(folder, 1)
    try:
        time.sleep(3)
        return {each.name: memory_of(each) for each in made.servers.values()}
    finally:
        made.stop()


def measure_idle(made, seconds):
    before = {each.name: processor_seconds(each) for each in made.processes()}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {each.name: (processor_seconds(each) - before[each.name]) / passed for each in made.processes()}


def unwritten(stores, leaders, shards):
    """Of the shards those whose told leader did not acknowledge a put; all are asked at once."""
    asked = {}
    for shard in shards:
        if leaders.get(shard) in stores:
            request = oxia.WriteRequest(shard=shard, puts=[put("probe", b"value", None)])
            asked[shard] = stores[leaders[shard]].calls.Write.future(request, timeout=2)
    done = set()
    for shard, call in asked.items():
        try:
            call.result()
            done.add(shard)
        except grpc.RpcError:
            continue
    return shards - done


def measure_takeover(made):
    told = made.assignments()[NAME]
    led = {each.name: {shard for shard, address in told.items() if address == each.address} for each in made.servers.values()}
    victim = max(made.servers.values(), key=lambda each: len(led[each.name]))
    survivors = [each for each in made.servers.values() if each is not victim]
    stores = {each.address: Store(each.address, timeout=2) for each in survivors}
    waiting = set(led[victim.name])
    began = time.monotonic()
    victim.kill()
    while waiting and time.monotonic() < began + 60:
        waiting = unwritten(stores, (made.assignments(survivors[0].name) or {}).get(NAME, {}), waiting)
        time.sleep(0.01)
    passed = time.monotonic() - began
    for store in stores.values():
        store.close()
    return {"shards_led": len(led[victim.name]), "seconds": passed, "not_served": len(waiting)}


def measure(folder, shards, idle):
    base = base_memory(folder / "one-shard")
    made, started = make_cluster(folder / "many-shards", shards)
    try:
        time.sleep(8)   # until leaders are spread and the node's first reports are over
        per_shard = {each.name: (memory_of(each) - base[each.name]) / shards for each in made.servers.values()}
        cpu = measure_idle(made, idle)
        takeover = measure_takeover(made)
    finally:
        made.stop()
    return {"shards": shards, "start_seconds": started, "bytes_per_shard": per_shard, "idle_cores": cpu, "takeover": takeover}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=20, help="seconds in which nothing happens")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skerry-scale-"))
    try:
        print(json.dumps(measure(folder, arguments.shards, arguments.idle), indent=2))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
