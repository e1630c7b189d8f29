# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a store from outside: the process in /proc, its files on disk, and its own figures."""

import dataclasses
import os
import pathlib
import re
import resource
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
# Figures of /metrics that are kept: short name -> metric. Summed over cores, shards and labels.
GAUGES = {
    "sessions": "oxia_server_session_active", "followers": "skerry_shard_followers", "connections": "skerry_rpc_connections",
    "mailbox": "skerry_mailbox_depth", "in_flight": "skerry_shard_entries_in_flight", "frozen_tables": "skerry_engine_frozen_tables",
    "disk_full": "skerry_engine_disk_full", "calls": "skerry_rpc_calls_running",
}
COUNTERS = {
    "puts": "oxia_server_db_puts_total", "gets": "oxia_server_db_gets_total", "loop_stalls": "skerry_loop_stalls_total",
    "rpc_stalls": "skerry_rpc_stalls_total", "streams_failed": "skerry_rpc_streams_failed_total",
    "write_failures": "skerry_engine_write_failures_total", "refused": "skerry_rpc_connections_refused_total",
    "expired": "oxia_server_sessions_expired_total", "accepted": "skerry_rpc_connections_accepted_total",
}
_LINE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$")


@dataclasses.dataclass
class Sample:
    at: float          # seconds since the run began
    life: int          # of the process: counted from 1
    age: float         # seconds since this life served
    rss: int           # bytes
    descriptors: int
    threads: int
    cpu: float         # seconds that this life has used
    load_cpu: float    # seconds that the load has used, all lives together
    log_bytes: int
    engine_bytes: int
    figures: dict      # of GAUGES and COUNTERS


def sums(text):
    """metric -> the sum of its series."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            found[match[1]] = found.get(match[1], 0.0) + float(match[2])
    return found


def figures(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        found = sums(answer.read().decode())
    return {name: found[metric] for name, metric in {**GAUGES, **COUNTERS}.items()}


def allocated(folder, part):
    """Bytes on disk of all files below the folder whose path holds a directory named `part`."""
    total = 0
    for path, _, names in os.walk(folder):
        if part in pathlib.Path(path).relative_to(folder).parts:
            for name in names:
                try:
                    total += os.stat(os.path.join(path, name)).st_blocks * 512
                except FileNotFoundError:   # compacted or recycled meanwhile
                    pass
    return total


def load_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def take(server, life, run_began, life_began):
    process = pathlib.Path(f"/proc/{server.pid}")
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()   # from field 3 of proc(5) on
    now = time.monotonic()
    return Sample(now - run_began, life, now - life_began, int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
                  len(os.listdir(process / "fd")), int(fields[17]), (int(fields[11]) + int(fields[12])) / TICKS, load_seconds(),
                  allocated(server.data, "log"), allocated(server.data, "engine"), figures(server.metrics_port))
