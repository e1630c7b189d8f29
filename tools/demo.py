#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the store at work on real data: this machine's own package index, loaded, read in every way, killed and found again.

Started by `./dev demo`. Everything it says is measured or printed by the program itself; it ends with status 0 only when each
of its proofs held. It starts its own server on free ports with a folder of its own, and ends what it started.
"""

import hashlib
import json
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import cluster_demo  # noqa: E402
from support.protocol import OK, put  # noqa: E402
from support.server import PROGRAM, Server, eventually  # noqa: E402

import grpc  # noqa: E402

SHARDS = 4
failures = []


def heading(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n## {text}", flush=True)


def prove(holds, text):
    print(f"   {'proved' if holds else 'FAILED'}: {text}", flush=True)
    if not holds:
        failures.append(text)


# --- the data


def paragraphs(text):
    """The records of a Debian control file, as dictionaries."""
    for paragraph in text.split("\n\n"):
        fields, name = {}, None
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
        if "Package" in fields:
            yield fields


def package_index():
    """key -> (value, indexes) of every package that this machine knows, installed or not."""
    known = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace").stdout
    status = pathlib.Path("/var/lib/dpkg/status")
    records = {}
    for fields in [*paragraphs(known), *paragraphs(status.read_text(errors="replace") if status.exists() else "")]:
        section = fields.get("Section", "unknown").replace("/", ".")
        indexes = {"maintainer": fields.get("Maintainer", "unknown"), "source": fields.get("Source", fields["Package"]).split(" ")[0]}
        records[f"/debian/{section}/{fields['Package']}"] = (json.dumps(fields, ensure_ascii=False), indexes)
    return records


def digest(records):
    """One checksum over all keys and values."""
    total = hashlib.sha256()
    for key in sorted(records):
        total.update(key.encode() + b"\0" + records[key] + b"\0")
    return total.hexdigest()


def stored(server):
    """All that the store holds, asked on the wire, shard by shard."""
    with server.connect() as store:
        return {r.key: r.value for shard in range(SHARDS) for r in store.scan(shard=shard)}


def below(folder, records):
    return {key: value for key, value in records.items() if key.startswith(folder)}


# --- the command line


class Shell:
    def __init__(self, server):
        self.server = server

    def __call__(self, *words, lines=6, width=150, quiet=False, stdin=None):
        """Runs `skerry client …`, shows the command and the beginning of what it printed, and returns all of it."""
        done = subprocess.run([PROGRAM, "client", "-a", self.server.address, *words], capture_output=True, text=True, input=stdin)
        if not quiet:
            print(f"\n   $ skerry client {shlex.join(words)}")
            shown = (done.stdout + done.stderr).rstrip("\n").split("\n")
            for line in shown[:lines]:
                print("   " + (line if len(line) <= width else line[:width] + " …"))
            if len(shown) > lines:
                print(f"   … {len(shown) - lines} lines more")
        self.status = done.returncode
        return done.stdout


def load(shell, records):
    lines = "".join(json.dumps({"key": key, "value": value, "indexes": indexes}, ensure_ascii=False) + "\n"
                    for key, (value, indexes) in records.items())
    began = time.monotonic()
    shell("put", "--json-lines", stdin=lines, quiet=True)
    took = time.monotonic() - began
    mib = sum(len(value.encode()) for value, _ in records.values()) / (1 << 20)
    print(f"   $ skerry client put --json-lines < packages\n   {len(records)} records, {mib:.0f} MiB of values, each synced to disk, "
          f"in {took:.1f} s: {len(records) / took:.0f} a second")
    prove(shell.status == 0, "every record was acknowledged")


def read_in_every_way(shell, records):
    keys = sorted(records)
    one = "/debian/shells/bash" if "/debian/shells/bash" in records else keys[0]
    section = one.rsplit("/", 1)[0]
    in_section = [key for key in keys if key.rsplit("/", 1)[0] == section]

    heading("Get a record, with its metadata")
    out = shell("get", one, "-v", lines=12)
    prove(out.startswith(records[one][0]), "the value is byte for byte the one that was put")

    heading("Get the nearest record: greatest key at or below, smallest at or above")
    floor = shell("get", one + "!", "-t", "floor", "-v")
    prove(json.loads(floor.split("\n---\n")[1])["key"] == one, f"the floor of {one}! is {one}")
    ceiling = shell("get", section + "/", "-t", "ceiling", "-v")
    prove(json.loads(ceiling.split("\n---\n")[1])["key"] == in_section[0], f"the ceiling of {section}/ is {in_section[0]}")

    heading("List one section: from its slash to its double slash")
    listed = shell("list", "-s", section + "/", "-e", section + "//")
    prove(listed.split() == in_section, f"{len(in_section)} keys, in order, and none of another section")

    heading("Scan a range")
    scanned = shell("range-scan", "-s", one, "-e", one + "0")
    prove(records[one][0] in scanned, "the scan brings the values along")

    heading("Ask a secondary index: whose packages are these?")
    maintainer = records[one][1]["maintainer"]
    theirs = {key for key in keys if records[key][1]["maintainer"] == maintainer}
    listed = shell("list", "--index", "maintainer", "-s", maintainer, "-e", maintainer + " ")
    prove(set(listed.split()) == theirs, f"{len(theirs)} packages of {maintainer}, as counted in the file itself")


def make_keys(shell):
    heading("Keys that the store makes: a queue without a coordinator")
    for word in ("unpack", "configure", "done"):
        shell("put", "/queue/jobs", word, "-p", "queue", "-d", "1")
    made = shell("list", "-s", "/queue/", "-e", "/queue//").split()
    prove(made == [f"/queue/jobs-{n:020}" for n in (1, 2, 3)], "three keys, numbered without a gap")


def ephemeral(shell):
    heading("A record that lives as long as its client")
    words = ("put", "/workers/one", "at work", "--ephemeral", "--session-timeout", "3s")
    worker = subprocess.Popen([PROGRAM, "client", "-a", shell.server.address, *words], stdout=subprocess.PIPE, text=True)
    try:
        worker.stdout.readline()   # the version of the record: it is there
        print(f"   $ skerry client {shlex.join(words)} &")
        shell("get", "/workers/one", "-v", lines=4)
        prove(shell.status == 0, "the worker's record is there")
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    killed = time.monotonic()

    def gone():
        shell("get", "/workers/one", quiet=True)
        return shell.status != 0

    eventually(gone, "the end of the session", every=0.1)
    print(f"\n   $ kill -9 {worker.pid}   # and {time.monotonic() - killed:.1f} s later, when its session had run out:")
    out = shell("get", "/workers/one")
    prove(shell.status == 3 and out == "", "the record went after its client, and nobody had to clean up")


def notifications(shell):
    heading("Follow changes as they happen")
    follower = subprocess.Popen([PROGRAM, "client", "-a", shell.server.address, "notifications"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, bufsize=1)
    lines = []
    threading.Thread(target=lambda: lines.extend(iter_into(lines, follower.stdout)), daemon=True).start()
    try:
        def awake():
            shell("put", "/probe", "are you there?", quiet=True)
            return lines
        eventually(awake, "the first notification", every=0.1)
        shell("put", "/here", "that was all before", quiet=True)
        eventually(lambda: any("/here" in line for line in lines), "the notification of /here")
        lines.clear()
        print("   $ skerry client notifications &")
        shell("put", "/news", "first", quiet=True)
        shell("put", "/news", "second", quiet=True)
        shell("delete", "/news", quiet=True)
        eventually(lambda: sum("/news" in line for line in lines) >= 3, "three notifications")
        for line in lines:
            print("   " + line.rstrip())
        kinds = [line.split()[0] for line in lines if "/news" in line]
        prove(kinds == ["KEY_CREATED", "KEY_MODIFIED", "KEY_DELETED"], "created, modified and deleted were told, in this order")
    finally:
        follower.send_signal(signal.SIGKILL)
        follower.wait()


def iter_into(seen, source):
    for item in source:
        seen.append(item)
    return ()


# --- the kill


class Updates:
    """Writes on while the server dies, and remembers exactly what was acknowledged."""

    def __init__(self, server):
        self.server, self.acknowledged = server, {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with self.server.connect(options=[("grpc.enable_retries", 0)]) as store:
                for n in range(1_000_000):
                    value = f"update {n}".encode()
                    if store.write(n % SHARDS, puts=[put(f"/updates/{n:06}", value)]).puts[0].status == OK:
                        self.acknowledged[f"/updates/{n:06}"] = value
        except grpc.RpcError:
            return


def kill_and_compare(server, before):
    heading("kill -9 in the middle of writing")
    updates = Updates(server)
    eventually(lambda: len(updates.acknowledged) >= 500, "500 updates")
    print(f"   $ kill -9 {server.pid}")
    server.kill()
    updates.thread.join(30)
    began = time.monotonic()
    server.start()
    print(f"   started again; it was serving after {(time.monotonic() - began) * 1000:.0f} ms")
    everything = stored(server)
    after = below("/debian/", everything)
    print(f"   before: {len(before)} records, sha256 {digest(before)[:32]}…\n   after:  {len(after)} records, sha256 {digest(after)[:32]}…")
    prove(len(after) == len(before) and digest(after) == digest(before), "every record is there, byte for byte")
    found = below("/updates/", everything)
    lost = [key for key, value in updates.acknowledged.items() if found.get(key) != value]
    prove(not lost, f"all {len(updates.acknowledged)} updates acknowledged before the kill are there"
                    + (f"; {len(found) - len(updates.acknowledged)} more had been on their way" if len(found) > len(updates.acknowledged) else ""))
    with server.connect() as store:
        indexed = sum(len(store.list(shard=shard, index="source")) for shard in range(SHARDS))
    prove(indexed == len(before), f"the index on the source package has its {indexed} entries")


def main():
    began = time.monotonic()
    records = package_index()
    if not records:
        sys.exit("demo: this machine has no package index (apt-cache dumpavail and /var/lib/dpkg/status are both empty)")
    with tempfile.TemporaryDirectory(prefix="skerry-demo-") as folder:
        server = Server(folder, shards=SHARDS)
        try:
            heading(f"A store of {SHARDS} shards in one process")
            server.start()
            print(f"   $ {shlex.join(server.command()).replace(str(PROGRAM), 'skerry')}   # process {server.pid}")
            shell = Shell(server)
            heading(f"Load what apt knows: {len(records)} packages, two secondary indexes each")
            load(shell, records)
            read_in_every_way(shell, records)
            make_keys(shell)
            ephemeral(shell)
            notifications(shell)
            kill_and_compare(server, {key: value.encode() for key, (value, _) in records.items()})
        finally:
            server.kill()
        heading("Second act: three machines are one store")
        cluster_demo.run(pathlib.Path(folder) / "cluster", prove)
    print(f"\n{'Every proof held' if not failures else f'{len(failures)} proofs FAILED: ' + '; '.join(failures)}, "
          f"in {time.monotonic() - began:.0f} s.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
