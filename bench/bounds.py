#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what one store must do besides the rows of run.py, each beside its bound: ten million keys, lists and scans, a thousand
followers, four shards on one core, the start after kill -9. The serving core has one processor; the load generator and what a store does
in the background share the other. Writes results/bounds.md and .json.

  ./dev bench bounds                     all, about five minutes
  ./dev bench bounds followers shards    some of: keys, ranges, followers, shards, restart
"""
import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

from processor_time import thread_seconds
from run import LOAD, LOAD_CPU, ROOT, SERVER_CPU, etcd_server, redis_server, skerry_server

KEYS_OF_LARGE = 10_000_000


def told(text):
    print(f"  {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(server):
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def own_core(*flags):
    """The core on the server's processor, all other threads on the generator's."""
    server = skerry_server(*flags, cores=SERVER_CPU + "-" + SERVER_CPU, cpu=f"{SERVER_CPU},{LOAD_CPU}")
    for task in os.listdir(f"/proc/{server.process.pid}/task"):
        with contextlib.suppress(OSError):   # it has ended
            if not open(f"/proc/{server.process.pid}/task/{task}/comm").read().startswith(("core", "iou-wrk")):
                os.sched_setaffinity(int(task), {int(LOAD_CPU)})
    return server


def load_command(server, *options):
    return ["taskset", "-c", LOAD_CPU, str(LOAD), "--protocol", server.protocol, "--address", f"127.0.0.1:{server.port}", *map(str, options)]


def load(server, *options, timeout=1200):
    """The generator's figures, and the microseconds that the serving core worked for an operation."""
    before = thread_seconds(server.process.pid)
    began = time.monotonic()
    done = subprocess.run(load_command(server, *options), capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise SystemExit(f"{server.name}: the generator failed: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    after = thread_seconds(server.process.pid)
    figures["core_seconds"] = sum(spent - before.get(name, 0) for name, spent in after.items() if name == "core")
    figures["seconds"] = time.monotonic() - began
    return figures


def row(work, figures, bound="", met=None):
    return {"work": work, "figures": figures, "bound": bound, "met": met}


def milliseconds(micros):
    return f"{micros / 1000:.1f} ms"


class Control(threading.Thread):
    """One small put after the other into an idle Redis that syncs each: what the machine and its disk alone make a put wait."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.connection = socket.create_connection(("127.0.0.1", server.port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.longest, self.ended = 0.0, threading.Event()

    def run(self):
        while not self.ended.wait(0.005):
            began = time.monotonic()
            self.connection.sendall(b"*3\r\n$3\r\nSET\r\n$7\r\ncontrol\r\n$5\r\nvalue\r\n")
            self.connection.recv(64)
            self.longest = max(self.longest, time.monotonic() - began)

    def stop(self):
        self.ended.set()
        self.join()
        self.connection.close()
        return self.longest * 1e6


def beside_control(redis, server, *options):
    control = Control(redis)
    control.start()
    try:
        figures = load(server, *options)
    finally:
        figures_of_control = control.stop()
    figures["control_max_us"] = figures_of_control
    return figures


def waits(figures):
    return f"longest put {milliseconds(figures['max_us'])} (control's {milliseconds(figures['control_max_us'])}), p99 {milliseconds(figures['p99_us'])}"


def waited_little(figures):
    return figures["max_us"] - figures["control_max_us"] <= 20_000


def keys(args):
    common = ("--keys", args.keys, "--value-bytes", 100, "--warm-up", 0)
    what = f"{args.keys:,} keys of 100 B, budget of 256 MB"
    with running(own_core("--db-cache-size-mb", "256")) as server, running(redis_server()) as redis:
        told(f"{what}: new keys in random order")
        new = beside_control(redis, server, *common, "--each-once", "--no-preload", "--batch", 64, "--in-flight", 16)
        yield row(f"{what}: new keys in random order, batches of 64",
                  f"{new['operations_per_second']:,.0f}/s, slowest second {new['slowest_second']:,}/s, core {new['core_seconds'] / args.keys * 1e6:.1f} µs a put",
                  "150,000/s", new["operations_per_second"] >= 150_000)
        yield row("the same: longest put", waits(new), "20 ms beyond the control's", waited_little(new))
        told(f"{what}: overwrites")
        over = beside_control(redis, server, *common, "--no-preload", "--seconds", args.overwrite_seconds, "--batch", 64, "--in-flight", 16)
        puts = over["operations_per_second"] * args.overwrite_seconds
        yield row(f"the same: overwrites, {args.overwrite_seconds} s",
                  f"{over['operations_per_second']:,.0f}/s, slowest second {over['slowest_second']:,}/s, core {over['core_seconds'] / puts * 1e6:.1f} µs a put",
                  "40,000/s, each second", over["slowest_second"] >= 40_000)
        yield row("the same: longest put", waits(over), "20 ms beyond the control's", waited_little(over))
        for text, options in (("gets in batches of 128, 16 in flight", ("--batch", 128, "--in-flight", 16)), ("unary gets, 16 in flight", ("--in-flight", 16))):
            told(f"{what}: {text}")
            found = load(server, *common, "--no-preload", "--put-share", 0, "--seconds", 10, *options)
            core = found["core_seconds"] / (found["operations_per_second"] * 10) * 1e6
            yield row(f"the same: cold {text}", f"{found['operations_per_second']:,.0f}/s, p99 {milliseconds(found['p99_us'])}, core {core:.1f} µs a get",
                      "80,000/s", found["operations_per_second"] >= 80_000)
        yield row("the same: resident afterwards", f"{server.resident_megabytes():.0f} MB")


def ranges(args):
    servers = [skerry_server(), *([etcd_server()] if shutil.which("etcd") else [])]
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(running(server))
            load(server, "--seconds", 0.1, "--in-flight", 64)
        for what, verb, bound in (("keys", "listed", 1_000_000), ("records", "scanned", 500_000)):
            rates, cores = {server.name: [] for server in servers}, []
            for _ in range(args.rounds):
                for server in servers:
                    told(f"100,000 {what} {verb}: {server.name}")
                    found = load(server, "--no-preload", "--seconds", 3, "--read-range", what)
                    rates[server.name].append(found["operations_per_second"])
                    if server.name == "Skerry":
                        cores.append(found["core_seconds"] / (found["operations_per_second"] * 3 + 1) * 1e6)
            ours = statistics.median(rates["Skerry"])
            others = "".join(f"; {name} {statistics.median(each):,.0f}/s" for name, each in rates.items() if name != "Skerry")
            yield row(f"100,000 records of 128 B {verb}, one call after the other", f"{ours:,.0f} {what}/s, core {statistics.median(cores):.2f} µs each{others}",
                      f"{bound:,}/s", ours >= bound)


def followers(args):
    count, rate, batch, seconds = 1000, 10_000, 100, 5
    common = ("--no-preload", "--rate", rate, "--batch", batch, "--in-flight", 64, "--warm-up", 1, "--seconds", seconds)
    written = rate * (seconds + 1)
    with running(skerry_server()) as server:
        load(server, "--seconds", 0.1, "--in-flight", 64)
        told("puts without followers")
        alone = load(server, *common)
        yield row(f"puts due at {rate:,}/s in batches of {batch}, nobody follows",
                  f"p50 {milliseconds(alone['p50_us'])}, p99 {milliseconds(alone['p99_us'])}, core {alone['core_seconds'] / written * 1e6:.1f} µs a put")
        for connections in (10, 1000):
            told(f"puts with {count} followers on {connections} connections")
            found = load(server, *common, "--followers", count, "--follower-connections", connections)
            messages = written / batch * count
            sending = (found["core_seconds"] - alone["core_seconds"]) / messages * 1e6
            yield row(f"the same, {count:,} followers on {connections:,} connections",
                      f"delivered p50 {milliseconds(found['delivered_p50_us'])}, p99 {milliseconds(found['delivered_p99_us'])}; "
                      f"puts p50 {milliseconds(found['p50_us'])}, p99 {milliseconds(found['p99_us'])}; core {sending:.1f} µs a message sent",
                      "delivered p99 20 ms", found["delivered_p99_us"] <= 20_000)


def anonymous_bytes(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise SystemExit("this kernel does not tell RssAnon")


def shards(args):
    with running(skerry_server()) as one, running(skerry_server("--shards", "4")) as four:
        # As many records and connections in all.
        records = {number: ("--shards", number, "--connections", 4 // number, "--keys", 100_000 // number) for number in (1, 4)}
        for server, number in ((one, 1), (four, 4)):
            load(server, *records[number], "--seconds", 0.1, "--in-flight", 64)
        for text, options in (("puts in batches of 128, 32 in flight", ("--batch", 128, "--in-flight", 32)), ("single puts, 64 in flight", ("--in-flight", 64))):
            rates, cores = {1: [], 4: []}, {1: [], 4: []}
            for _ in range(args.rounds):
                for server, number in ((one, 1), (four, 4)):
                    told(f"{text}: {number} shards on one core")
                    found = load(server, *records[number], "--no-preload", "--warm-up", 0, "--seconds", 3, *options)
                    rates[number].append(found["operations_per_second"])
                    cores[number].append(found["core_seconds"] / (found["operations_per_second"] * 3) * 1e6)
            noise = max((max(each) - min(each)) / statistics.median(each) for each in rates.values())
            share = statistics.median(rates[4]) / statistics.median(rates[1])
            figures = ", ".join(f"{number} shards {statistics.median(rates[number]):,.0f}/s, core {statistics.median(cores[number]):.2f} µs a put" for number in rates)
            yield row(f"{text} on four connections, on one core", f"{figures}; {share:.2f} of one, noise {noise:.0%}", "1.00 within the noise", share >= 1 - noise)
    memory = {}
    for number in (1, 65):
        told(f"memory of {number} shards")
        with running(skerry_server("--shards", str(number))) as server:
            load(server, "--shards", number, "--keys", 1000 * number, "--seconds", 0.1)
            time.sleep(1)
            memory[number] = anonymous_bytes(server)
    each = (memory[65] - memory[1]) / 64 / 1024
    yield row("memory of each further shard with 1,000 records of 128 B", f"{each:.0f} KiB", "1024 KiB", each <= 1024)


def ready(server):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{server.others[0]}/readyz", timeout=1).status == 200
    except OSError:
        return False


def restart(args):
    chance, times, worked = random.Random(1), [], []
    with running(skerry_server()) as server:
        for number in range(args.restarts):
            told(f"kill -9 under load, {number + 1} of {args.restarts}")
            work = subprocess.Popen(load_command(server, "--no-preload", "--batch", 128, "--in-flight", 32, "--seconds", 60),
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(2, 5))
            server.process.kill()
            server.process.wait()
            work.wait(60)
            began = time.monotonic()
            server.launch()
            while not ready(server):
                if time.monotonic() - began > 30:
                    raise SystemExit(f"the server was not ready after 30 s; its log is {server.log.name}")
                time.sleep(0.002)
            times.append((time.monotonic() - began) * 1000)
            worked.append(sum(thread_seconds(server.process.pid).values()) * 1000)
    yield row(f"started to ready after kill -9 under full load, {args.restarts} times",
              f"median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms; processor time median {statistics.median(worked):.0f}, most {max(worked):.0f} ms",
              "500 ms", max(times) <= 500)


BENCHES = {"keys": keys, "ranges": ranges, "followers": followers, "shards": shards, "restart": restart}


def table(rows):
    lines = ["# One store beside its bounds", "",
             f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors: the serving core on one, the generator and (in the rows of "
             f"{KEYS_OF_LARGE:,} keys) the store's background work on the other, loopback; every put is synced before it is acknowledged. The control puts "
             "one small record after the other into an idle Redis at the same time: its longest put is what the machine and its disk alone make one wait. "
             "\"Core\" is the processor time of the serving core: it holds on a busy machine too, and a rate that one core can't exceed is its inverse.", "",
             "| work | measured | bound | met |", "|---|---|---|---|"]
    for each in rows:
        met = "" if each["met"] is None else "yes" if each["met"] else "no"
        lines.append(f"| {each['work']} | {each['figures']} | {each['bound']} | {met} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", metavar="BENCH", help=f"some of: {', '.join(BENCHES)}; all if none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--restarts", type=int, default=9)
    parser.add_argument("--keys", type=int, default=KEYS_OF_LARGE)
    parser.add_argument("--overwrite-seconds", type=int, default=60)
    args = parser.parse_args()
    for each in args.which:
        if each not in BENCHES:
            parser.error(f"there is no '{each}'; there are: {', '.join(BENCHES)}")
    out = ROOT / "bench/results"
    out.mkdir(exist_ok=True)
    kept = out / "bounds.json"
    done = json.loads(kept.read_text()) if kept.exists() else {}   # what is not measured now stays as it was
    for each in args.which or BENCHES:
        done[each] = list(BENCHES[each](args))
    kept.write_text(json.dumps(done, indent=1) + "\n")
    text = table([each for name in BENCHES for each in done.get(name, [])])
    (out / "bounds.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
