# SPDX-License-Identifier: Apache-2.0
"""A whole cluster of real processes under test: a coordinator and servers, each with a folder, a log and ports of its own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import grpc

from .protocol import Store
from .server import PROGRAM, eventually, free_port


class Process:
    """One process of the cluster. Restarts keep its ports and folder."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.name = name
        self.log = self.folder / "skerry.log"
        self.public, self.internal = free_port(), free_port()
        self.process = None
        self.paused = False
        self.extra, self.environment = [], {}   # more flags and variables
        self.metrics_port = None   # that it is to listen on
        self.host, self.prefix = "127.0.0.1", []   # the machine, and the words that make a command run there

    @property
    def address(self):
        return f"{self.host}:{self.public}"

    @property
    def internal_address(self):
        return f"{self.host}:{self.internal}"

    @property
    def pid(self):
        return self.process.pid

    def arguments(self):
        raise NotImplementedError

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*self.prefix, str(PROGRAM), *self.arguments(), "-p", self.address, "-i", self.internal_address, "-m",
                   f"{self.host}:{self.metrics_port}" if self.metrics_port else "none", *self.extra]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def stop(self, seconds=20):
        if self.paused:
            self.resume()
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class DataServer(Process):
    def __init__(self, folder, name):
        super().__init__(folder, name)
        self.data = self.folder / "data"
        self.called_at = None   # where others reach its internal port, if not there

    def arguments(self):
        return ["server", "--data-dir", str(self.data)]

    def lose_data(self):
        shutil.rmtree(self.data)


class Coordinator(Process):
    group = ()   # of several that agree

    def arguments(self):
        agree = ["--metadata", "raft", "--raft-bootstrap-nodes", ",".join(each.internal_address for each in self.group)] if self.group else []
        return ["coordinator", "--metadata-dir", str(self.folder / "metadata"), *agree]

    @property
    def config_file(self):
        return self.folder / "metadata" / "cluster.yaml"

    def in_office(self):
        """By its own log."""
        words = (" in office epoch=", "not in office any more", "Started Grpc server")   # the last: of this life
        entered, left, started = (self.output().rfind(each) for each in words)
        return self.running() and not self.paused and entered > max(left, started)


class Cluster:
    """Servers named one, two, … and one coordinator, or several that agree. start() returns when every shard has a leader."""

    names = ("one", "two", "three", "four", "five", "six", "seven")

    def __init__(self, folder, servers=3, namespaces=None, coordinators=1):
        self.folder = pathlib.Path(folder)
        self.coordinator = Coordinator(folder, "coordinator")
        self.coordinators = [self.coordinator, *(Coordinator(folder, f"coordinator-{number}") for number in range(2, coordinators + 1))]
        for each in self.coordinators if coordinators > 1 else ():
            each.group = self.coordinators
        self.servers = {name: DataServer(folder, name) for name in self.names[:servers]}
        self.namespaces = namespaces or [{"name": "default", "initialShardCount": 1, "replicationFactor": min(servers, 3)}]
        self.configured = list(self.servers)
        self._leader = None   # a connection to it

    @property
    def config_file(self):
        return self.coordinator.config_file

    def configure(self, coordinators=None, namespaces=None):
        """Writes the configuration, to the files of all coordinators or of these; JSON is YAML."""
        servers = [{"name": name, "public": self.servers[name].address, "internal": self.servers[name].called_at or self.servers[name].internal_address}
                   for name in self.configured]
        for coordinator in coordinators or self.coordinators:
            coordinator.config_file.parent.mkdir(parents=True, exist_ok=True)
            beside = coordinator.config_file.with_suffix(".new.yaml")
            beside.write_text(json.dumps({"namespaces": namespaces or self.namespaces, "servers": servers}, indent=2))
            os.rename(beside, coordinator.config_file)

    def in_office(self):
        """The coordinator that acts; None when none does."""
        return next((each for each in self.coordinators if each.in_office()), None)

    def processes(self):
        return [*self.coordinators, *self.servers.values()]

    def start(self, seconds=30):
        self.configure()
        for each in self.processes():
            each.start()
        self.await_leaders(seconds)
        return self

    def assignments(self, server=None):
        """{namespace: {shard: leader's address}} as one server tells it; None when it tells nothing."""
        candidates = [self.servers[server]] if server else [each for each in self.servers.values() if not each.paused]
        for each in candidates:
            if not each.running():
                continue
            try:
                found = {}
                for space in self.namespaces:
                    with Store(each.address, timeout=2) as store:
                        told = next(iter(store.assignments(space["name"]))).namespaces[space["name"]]
                        found[space["name"]] = {shard.shard: shard.leader for shard in told.assignments}
                return found
            except (OSError, grpc.RpcError, StopIteration):
                continue
        return None

    def await_leaders(self, seconds=30):
        def all_led():
            told = self.assignments()
            return told is not None and all(shards and all(shards.values()) for shards in told.values())
        try:
            eventually(all_led, "a leader for every shard", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.coordinator.output()[-3000:]}") from None

    def leader(self, namespace="default", shard=None):
        """The server that leads the shard, the namespace's first one if none is named."""
        shards = self.assignments()[namespace]
        address = shards[min(shards) if shard is None else shard]
        return next(each for each in self.servers.values() if each.address == address)

    @staticmethod
    def connect(server, timeout=5):
        return Store(server.address, timeout=timeout)

    def leader_store(self, namespace="default", shard=0, seconds=20):
        """A connection to who leads the shard and answers: a new leader waits until the lease of the one before has run out."""
        def serving():
            address = (self.assignments() or {}).get(namespace, {}).get(shard)
            if not address:
                return None
            store = Store(address, timeout=5)
            try:
                store.list("", "!", shard=shard)
                return store
            except grpc.RpcError:
                store.close()
                return None
        return eventually(serving, f"a leader of shard {shard} that serves", seconds)

    def ask_leader(self, ask, seconds=20):
        """The answer of `ask(store)` by whoever leads the first shard, again and again until there is one; over one connection while that lasts."""
        def answered():
            try:
                self._leader = self._leader or self.connect(self.leader())
                return ask(self._leader)
            except (grpc.RpcError, StopIteration, TypeError):   # refused, or nobody leads
                self._forget_leader()
                return None
        return eventually(answered, "an answer of a leader", seconds)

    def _forget_leader(self):
        if self._leader:
            self._leader.close()
        self._leader = None

    def put(self, key, value, shard=0, seconds=20):
        """Through whoever leads, again and again until it is acknowledged."""
        def acknowledged():
            with self.leader_store(shard=shard) as store:
                try:
                    return store.put(key, value, shard=shard)
                except grpc.RpcError:
                    return None
        return eventually(acknowledged, f"the put of {key}", seconds)

    def await_other_leader(self, than, namespace="default", shard=0, seconds=20):
        def told():
            leader = (self.assignments() or {}).get(namespace, {}).get(shard)
            return leader and leader != than.address
        eventually(told, f"another leader than {than.name}", seconds)

    def stop(self):
        """Ends everything, and takes the data away: what tests of clusters write is much. The logs stay."""
        self._forget_leader()
        for each in self.processes():
            if each.process is None:
                continue
            if each.paused:
                each.resume()
            each.kill()
            for data in ("data", "metadata"):
                shutil.rmtree(each.folder / data, ignore_errors=True)
