#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures our RPC server against grpc++'s completion queue, each pinned to processor 0, with h2load pinned to processor 1.

Alternates between the two, `--rounds` times, and prints the median of each figure. Latencies come from h2load's log of
single requests, in runs of their own, since writing the log costs h2load throughput.

    ./dev build release rpc_bench_server rpc_bench_grpcpp && bench/rpc/run.py
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile

BODY = bytes([0, 0, 0, 0, 66, 0x0A, 64]) + b"k" * 64  # GetRequest with a 64-byte key, behind gRPC's prefix
PATH = "/skerry.bench.Store/Get"


def pinned(processor, options):
    return (["chrt", "-r", "1"] if options.realtime else []) + ["taskset", "-c", str(processor)]


class Server:
    def __init__(self, program, port, options):
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            pinned(0, options) + [str(program), self.address], stdout=subprocess.PIPE, text=True)
        if "listening" not in self.process.stdout.readline():
            raise SystemExit(f"{program} does not listen on {self.address}")

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, int(re.search(r"Threads:\s+(\d+)", status)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()


def h2load(address, calls, options, body, log=None):
    command = pinned(1, options) + ["h2load", "-t", "1", "-n", str(calls), "-c", str(options.connections),
               "-m", str(options.streams), "-d", body, "-H", "te: trailers", "-H", "content-type: application/grpc"]
    if log:
        command.append(f"--log-file={log}")
    out = subprocess.run(command + [f"http://{address}{PATH}"], capture_output=True, text=True, check=True).stdout
    done = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", out)
    if not done or int(done[1]) != calls:
        raise SystemExit(f"calls failed:\n{out}")
    return float(re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", out)[1])


def latencies_ms(log):
    micros = sorted(int(line.split()[2]) for line in pathlib.Path(log).read_text().splitlines())
    return {"p50": micros[len(micros) // 2] / 1000, "p99": micros[len(micros) * 99 // 100] / 1000,
            "p99.9": micros[len(micros) * 999 // 1000] / 1000}


def measure(program, port, options, folder):
    body = pathlib.Path(folder, "body")
    body.write_bytes(BODY)
    server = Server(program, port, options)
    try:
        h2load(server.address, options.calls // 10, options, str(body))  # warm
        result = {"calls/s": h2load(server.address, options.calls, options, str(body))}
        log = pathlib.Path(folder, "log")
        log.unlink(missing_ok=True)
        h2load(server.address, options.calls, options, str(body), log=log)
        result |= latencies_ms(log)
        result["MiB"], result["threads"] = server.resident_mib()
        return result
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release/bench/rpc")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--only", choices=["skerry", "grpc++"])
    parser.add_argument("--realtime", action="store_true", help="run before everything else, on a machine that is not quiet")
    options = parser.parse_args()
    programs = {"skerry": (options.build / "rpc_bench_server", 16701), "grpc++": (options.build / "rpc_bench_grpcpp", 16702)}
    results = {name: [] for name in programs if options.only in (None, name)}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name in results:
                results[name].append(measure(*programs[name], options, folder))
                print(f"  {name:8}", "  ".join(f"{key} {value:.3f}" for key, value in results[name][-1].items()), flush=True)
    medians = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in results.items()}
    print(f"medians of {options.rounds}, {options.connections} connections of {options.streams} calls:")
    for name, figures in medians.items():
        print(f"  {name:8}", "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    if len(medians) == 2:
        ours, theirs = medians["skerry"], medians["grpc++"]
        print(f"throughput x{ours['calls/s'] / theirs['calls/s']:.2f}, p99 1/{theirs['p99'] / ours['p99']:.2f}")


if __name__ == "__main__":
    main()
