#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processor time that Skerry spends on an operation, by thread, for each row of run.py: a figure that a busy machine blurs but does not
halve, as it does rates and latencies. Beside it what the engine did meanwhile. A rate that one core can't exceed is its inverse."""
import argparse
import json
import os
import shutil
import subprocess
import urllib.request

from run import LOAD, LOAD_CPU, WORKLOADS, Server, skerry_server

COUNTERS = ("ingests_total", "compactions_total", "cold_reads_total", "waiting_reads_total", "cache_misses_total")


def thread_seconds(pid):
    """Seconds on a processor by name of thread; numbers in names are dropped."""
    spent = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            name = open(f"/proc/{pid}/task/{task}/comm").read().strip().rstrip("-0123456789")
            nanos = int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
        except OSError:
            continue   # it has ended
        spent[name] = spent.get(name, 0) + nanos / 1e9
    return spent


def counters(server):
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.others[0]}/metrics", timeout=10).read().decode()
    values = {name: 0.0 for name in COUNTERS}
    for line in text.splitlines():
        for name in COUNTERS:
            if line.startswith(f"skerry_engine_{name}"):
                values[name] += float(line.rsplit(" ", 1)[1])
    return values


def load(server, options, args, seconds, preload):
    command = ["taskset", "-c", LOAD_CPU, str(LOAD), "--address", f"127.0.0.1:{server.port}", "--value-bytes", str(args.value_bytes),
               "--seconds", str(seconds), "--warm-up", "0", *options]
    done = subprocess.run(command + ([] if preload else ["--no-preload"]), capture_output=True, text=True, timeout=seconds + 120, check=True)
    return json.loads(done.stdout)["operations_per_second"] * seconds


def show(name, before, after, operations, happened):
    spent = {thread: (after[thread] - before.get(thread, 0)) / operations * 1e6 for thread in after}
    threads = ", ".join(f"{thread} {micros:.2f}" for thread, micros in sorted(spent.items(), key=lambda each: -each[1]) if micros >= 0.01)
    counts = ", ".join(f"{name.removesuffix('_total')} {count:.0f}" for name, count in happened.items() if count)
    print(f"| {name} | {sum(spent.values()):.2f} | {threads} | {counts or '–'} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--value-bytes", type=int, default=128)
    args = parser.parse_args()
    server = skerry_server()
    try:
        load(server, ["--in-flight", "1"], args, 0.1, preload=True)
        print("| work | µs an operation | by thread | the engine |\n|---|---|---|---|")
        for name, options in WORKLOADS:
            before, counted = thread_seconds(server.process.pid), counters(server)
            operations = load(server, options["Skerry"], args, args.seconds, preload=False)
            happened = {name: value - counted[name] for name, value in counters(server).items()}
            show(name, before, thread_seconds(server.process.pid), operations, happened)
        print(f"\nresident afterwards: {server.resident_megabytes():.0f} MB")
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
