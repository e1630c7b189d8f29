#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Skerry beside etcd and Redis in one run: the server has one processor, the load generator the other.

Every store syncs to disk before it acknowledges a write. Runs of the stores alternate, so that a drift of the machine's
speed meets all of them; a figure is the median over the rounds. Writes results/<name>.md, .json and .png.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = ROOT / "build/release/bench/skerry_load"
SKERRY = ROOT / "build/release/skerry"
SERVER_CPU, LOAD_CPU = "0", "1"

ALL = ("Skerry", "etcd", "Redis")


def work(name, *options, stores=ALL, **others):
    """A row: the generator's options, for the stores that can do it; a peer that needs its own to do well has them instead."""
    return name, {store: others.get(store, " ".join(options)).split() for store in stores}


# One stream carries all of Skerry's puts; Redis and etcd do better with many clients, so they get them.
WORKLOADS = [
    work("put, one at a time", "--in-flight 1"),
    work("single puts, 64 in flight; Redis and etcd from 64 clients", "--in-flight 64 --connections 64", Skerry="--in-flight 64"),
    work("single puts, 64 in flight on one connection", "--in-flight 64"),
    work("puts in batches of 16, 32 in flight; Redis in pipelines", "--batch 16 --in-flight 32", stores=("Skerry", "Redis")),
    work("puts in batches of 128, 32 in flight; Redis in pipelines", "--batch 128 --in-flight 32", stores=("Skerry", "Redis")),
    work("puts due at 50,000/s, all that is due as one message", "--rate 50000 --gather --batch 10000 --in-flight 64",
         stores=("Skerry", "Redis")),
    work("puts due at 5,000/s, each a message", "--rate 5000 --in-flight 1024"),
    work("gets, one at a time", "--put-share 0 --in-flight 1"),
    work("unary gets, 16 in flight; Redis and etcd from 64 clients", "--put-share 0 --in-flight 64 --connections 64",
         Skerry="--put-share 0 --in-flight 16"),
    work("gets in batches of 128, 16 in flight; Redis in pipelines", "--put-share 0 --batch 128 --in-flight 16",
         stores=("Skerry", "Redis")),
    work("80 % gets, 20 % puts, 64 in flight", "--put-share 0.2 --in-flight 64"),
]


def free_port(used=set()):
    for port in range(21000, 32000):
        if port in used:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        used.add(port)
        return port
    raise SystemExit("no free port between 21000 and 32000")


class Server:
    """A store started on a fresh folder, pinned to the server's processor; ended by its pid."""

    def __init__(self, name, protocol, command, ports, cpu=SERVER_CPU):
        self.name, self.protocol = name, protocol
        self.folder = tempfile.mkdtemp(prefix=f"skerry-bench-{protocol}-")
        self.port = free_port()
        self.others = [free_port() for _ in range(ports)]
        self.command = ["taskset", "-c", cpu, *(w.format(folder=self.folder, port=self.port, other=(self.others + [0])[0]) for w in command)]
        self.log = open(os.path.join(self.folder, "server.log"), "ab")
        self.launch()
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise SystemExit(f"{name} did not start; its log is {self.log.name}")
                time.sleep(0.05)

    def launch(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, cwd=self.folder)

    def resident_megabytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def skerry_server(*flags, cores="1", cpu=SERVER_CPU):
    return Server("Skerry", "store", [
        str(SKERRY), "standalone", "--cores", cores, "--data-dir", "{folder}/data", "-p", "127.0.0.1:{port}", "-m", "127.0.0.1:{other}", *flags],
        1, cpu)


def etcd_server():
    return Server("etcd", "etcd", [
        "etcd", "--data-dir", "{folder}/etcd", "--listen-client-urls", "http://127.0.0.1:{port}", "--advertise-client-urls",
        "http://127.0.0.1:{port}", "--listen-peer-urls", "http://127.0.0.1:{other}", "--initial-advertise-peer-urls",
        "http://127.0.0.1:{other}", "--initial-cluster", "default=http://127.0.0.1:{other}", "--logger", "zap",
        "--log-level", "error", "--quota-backend-bytes", "8589934592"], 1)


def redis_server():
    return Server("Redis", "redis", [
        "redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--dir", "{folder}", "--appendonly", "yes", "--appendfsync",
        "always", "--save", "", "--auto-aof-rewrite-percentage", "0"], 0)


def start_servers():
    servers = [skerry_server()]
    if shutil.which("etcd"):
        servers.append(etcd_server())
    if shutil.which("redis-server"):
        servers.append(redis_server())
    return servers


def measure(server, options, value_bytes, seconds, preload):
    command = ["taskset", "-c", LOAD_CPU, str(LOAD), "--protocol", server.protocol, "--address", f"127.0.0.1:{server.port}",
               "--value-bytes", str(value_bytes), "--seconds", str(seconds), "--warm-up", "0.5", *options]
    if not preload:
        command.append("--no-preload")
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    return json.loads(done.stdout)


def median_of(runs):
    good = [run for run in runs if "error" not in run]
    if not good:
        return {"error": runs[0]["error"]}
    figures = {key: statistics.median(run[key] for run in good) for key in good[0]}
    rates = [run["operations_per_second"] for run in good]
    figures["spread"] = (max(rates) - min(rates)) / max(statistics.median(rates), 1)
    figures["failed_runs"] = len(runs) - len(good)
    return figures


def run_all(args):
    results = []
    for value_bytes in args.value_bytes:
        servers = start_servers()
        try:
            loaded = set()
            for name, options in WORKLOADS:
                able = [server for server in servers if server.name in options]
                runs = {server.name: [] for server in able}
                for _ in range(args.rounds):
                    for server in able:
                        print(f"  {value_bytes} B, {name}: {server.name}", file=sys.stderr, flush=True)
                        runs[server.name].append(measure(server, options[server.name], value_bytes, args.seconds, server.name not in loaded))
                        loaded.add(server.name)
                results.append({"workload": name, "value_bytes": value_bytes,
                                "stores": {store: median_of(each) for store, each in runs.items()}})
            results.append({"workload": "resident memory after the above, MB", "value_bytes": value_bytes,
                            "stores": {server.name: {"megabytes": server.resident_megabytes()} for server in servers}})
        finally:
            for server in servers:
                server.stop()
                shutil.rmtree(server.folder, ignore_errors=True)
    return results


def cell(figures):
    if figures is None:
        return "–"
    if "error" in figures:
        return "failed: " + figures["error"][:60]
    if "megabytes" in figures:
        return f"{figures['megabytes']:.0f} MB"
    return (f"{figures['operations_per_second']:,.0f}/s, p50 {figures['p50_us'] / 1000:.3f}, p99 {figures['p99_us'] / 1000:.3f}, "
            f"p99.9 {figures['p999_us'] / 1000:.3f} ms")


def ratio(result, store):
    ours, theirs = result["stores"]["Skerry"], result["stores"].get(store, {"error": ""})
    if "error" in ours or "error" in theirs or "megabytes" in ours:
        return "–"
    return f"{ours['operations_per_second'] / theirs['operations_per_second']:.2f} / {ours['p50_us'] / theirs['p50_us']:.2f}"


def table(results, args):
    stores = list(results[0]["stores"])
    lines = ["# The store beside etcd and Redis", "",
             f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors: server on one, generator on the other, loopback. "
             f"Medians of {args.rounds} runs of {args.seconds:g} s, {args.keys_note}; every store syncs before it acknowledges. "
             "Ratios are Skerry's rate and p50 over the peer's. Noise is the widest (max − min) / median of Skerry's rates in that row.", "",
             "| work | bytes | " + " | ".join(stores) + " | vs etcd (rate / p50) | vs Redis (rate / p50) | noise |",
             "|---|---|" + "---|" * (len(stores) + 3)]
    for result in results:
        spread = result["stores"]["Skerry"].get("spread")
        lines.append(f"| {result['workload']} | {result['value_bytes']} | " + " | ".join(cell(result["stores"].get(s)) for s in stores) +
                     f" | {ratio(result, 'etcd')} | {ratio(result, 'Redis')} | {'–' if spread is None else f'{spread:.0%}'} |")
    return "\n".join(lines) + "\n"


def plot(results, path):
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (./dev bench installs it)", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    rows = [r for r in results if not r["workload"].startswith("resident")]
    stores = list(rows[0]["stores"])
    figure, axes = pyplot.subplots(1, 2, figsize=(15, 0.55 * len(rows) + 2))
    for axis, key, label in ((axes[0], "operations_per_second", "operations per second (log)"), (axes[1], "p99_us", "p99, µs (log)")):
        for i, store in enumerate(stores):
            values = [r["stores"].get(store, {}).get(key, 0) for r in rows]
            axis.barh([y + (i - 1) * 0.27 for y in range(len(rows))], values, height=0.25, label=store)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.set_yticks(range(len(rows)), [f"{r['workload']}, {r['value_bytes']} B" for r in rows])
        axis.invert_yaxis()
    axes[1].set_yticklabels([])
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--value-bytes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--name", default="store")
    args = parser.parse_args()
    args.keys_note = "100,000 keys chosen uniformly"
    results = run_all(args)
    out = ROOT / "bench/results"
    out.mkdir(exist_ok=True)
    (out / f"{args.name}.json").write_text(json.dumps(results, indent=1) + "\n")
    text = table(results, args)
    (out / f"{args.name}.md").write_text(text)
    plot(results, out / f"{args.name}.png")
    print(text)


if __name__ == "__main__":
    main()
