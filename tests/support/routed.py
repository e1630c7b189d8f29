# SPDX-License-Identifier: Apache-2.0
"""Clients that send each key to the shard into whose range it hashes, as the cluster's servers tell it, through splits and merges."""

import random
import threading
import time

import grpc
import xxhash

from .history import ABSENT
from .protocol import KEY_NOT_FOUND, OK, Store

REFUSED = {grpc.StatusCode.ABORTED}   # certainly not done
MOVED = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}   # the same: this server has no such shard


def hash_of(key):
    return xxhash.xxh3_64_intdigest(key.encode()) & 0xFFFFFFFF


class RoutedStore:
    """Not for several threads at once. `addresses` is called for the servers that there are. One that does not answer within `timeout`
    may hang: who leads is asked of another next."""

    def __init__(self, addresses, namespace="default", timeout=0.4):
        self.addresses, self.namespace, self.timeout = addresses, namespace, timeout
        self.stores, self.shards = {}, []
        self.asked, self.silent = 0, None

    def close(self):
        for store in self.stores.values():
            store.close()

    def store(self, address):
        if address not in self.stores:
            self.stores[address] = Store(address, timeout=self.timeout)
        return self.stores[address]

    def look(self):
        """Asks the next server who leads what."""
        self.asked += 1
        known = self.addresses()
        known = [each for each in known if each != self.silent] or known
        address = known[self.asked % len(known)]
        try:
            told = next(iter(self.store(address).assignments(self.namespace)))
        except (grpc.RpcError, StopIteration) as error:
            self.note(address, error)
            return
        self.shards = [(each.int32_hash_range.min_hash_inclusive, each.int32_hash_range.max_hash_inclusive, each.shard, each.leader)
                       for each in told.namespaces[self.namespace].assignments]

    def note(self, address, error):
        if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            self.silent = address

    def route(self, key):
        """(shard, leader's address), or None."""
        hashed = hash_of(key)
        return next(((shard, leader) for low, high, shard, leader in self.shards if low <= hashed <= high and leader), None)

    def put(self, key, value):
        """The version; None: certainly not done."""
        route = self.route(key)
        if route is None:
            self.look()
            return None
        try:
            answer = self.store(route[1]).put(key, value, shard=route[0])
        except grpc.RpcError as error:
            self.note(route[1], error)
            self.look()
            if error.code() in REFUSED | MOVED:
                return None
            raise
        return answer.version.version_id if answer.status == OK else None

    def get(self, key):
        """(version, value), (ABSENT, None); None: not answered."""
        route = self.route(key)
        if route is None:
            self.look()
            return None
        try:
            answer = self.store(route[1]).get(key, shard=route[0])
        except grpc.RpcError as error:
            self.note(route[1], error)
            self.look()
            return None
        if answer.status == KEY_NOT_FOUND:
            return ABSENT, None
        return (answer.version.version_id, answer.value) if answer.status == OK else None


class RoutedWorker(threading.Thread):
    """Puts and gets at random, one after the other, until `load.ended`; `load` has seed, keys, history and addresses."""

    def __init__(self, load, number, timeout=0.4):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.random = random.Random(f"{load.seed} {number}")
        self.store = RoutedStore(lambda: load.addresses, timeout=timeout)
        self.done_at = []   # of acknowledged puts

    def run(self):
        asked = 0
        while not self.load.ended.is_set():
            key = f"key-{self.random.randrange(self.load.keys):03d}"
            asked += 1
            value = f"{self.number}-{asked}".encode()
            answer = None
            try:
                if self.random.random() < 0.5:
                    answer = self.load.history.get(key, lambda: self.store.get(key))   # noqa: B023
                else:
                    answer = self.load.history.put(key, value, lambda: self.store.put(key, value))   # noqa: B023
                    if answer is not None:
                        self.done_at.append(time.monotonic())
            except grpc.RpcError:
                pass   # nobody knows; the history does
            if answer is None:
                time.sleep(0.003)
        self.store.close()
