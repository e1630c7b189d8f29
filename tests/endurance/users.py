# SPDX-License-Identifier: Apache-2.0
"""Everything that users do to a store, each at its steady rate, checking what it is told.

A user is a thread. A server that is killed under it ends its connection: it comes back when the server does. Anything else that
goes wrong is a finding and ends the user.
"""

import random
import threading
import time

import grpc

from support.protocol import OK, Store
from torture.model import Broken
from torture.worker import ENDED

GRACE = 30   # seconds that the store may be late with what it does by itself, on a machine that does much else


class User(threading.Thread):
    per_second = 1.0
    timeout = 30   # seconds for a call; None for those that follow

    def __init__(self, server, name, seed, shards):
        super().__init__(name=name, daemon=True)
        self.server, self.shards = server, shards
        self.chance = random.Random(f"{seed}/{name}")
        self.leaving = threading.Event()
        self.done = self.interrupted = 0
        self.failure = None
        self.call = None   # a stream that is being followed, to be cancelled by whoever wants this user to leave

    def run(self):
        while not self.leaving.is_set() and self.failure is None:
            try:
                with Store(self.server.address, timeout=self.timeout, options=[("grpc.enable_retries", 0)]) as store:
                    self.arrive(store)
                    self._stay(store)
            except grpc.RpcError as error:
                if error.code() not in ENDED:
                    self.failure = Broken(f"{self.name}: {error.code()} {error.details()}")
                self.interrupted += 1
            except Exception as error:  # noqa: BLE001: the thread ends here, the run reports it
                self.failure = Broken(f"{self.name}: {type(error).__name__} {error}")
            self.leaving.wait(0.25)

    def _stay(self, store):
        due = time.monotonic()
        while not self.leaving.is_set():
            self.step(store)
            self.done += 1
            due = max(due + 1 / self.per_second, time.monotonic() - 1)   # after a stall it makes up for a second at most
            self.leaving.wait(max(0, due - time.monotonic()))

    def arrive(self, store):
        """After each connection: what this user knows of the store may be out of date."""

    def step(self, store):
        raise NotImplementedError

    def leave(self):
        self.leaving.set()
        call = self.call
        if call is not None:
            call.cancel()


class Vanishing(User):
    """A user of records that go by themselves: looks whether they have, some time after they should."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.going = []   # (when it must have gone, shard, key)
        self.seen_to_go = 0

    def arrive(self, store):
        """A restart gives sessions their whole timeout again, and time stood still while nobody served."""
        late = time.monotonic() + GRACE + 10
        self.going = [(max(when, late), shard, key) for when, shard, key in self.going]

    def must_go(self, seconds, shard, key):
        self.going.append((time.monotonic() + seconds + GRACE, shard, key))

    def look(self, store):
        while self.going and self.going[0][0] < time.monotonic():
            _, shard, key = self.going[0]
            if store.get(key, shard=shard).status == OK:
                raise Broken(f"{self.name}: {key} of shard {shard} is still there {GRACE} s after it should have gone")
            self.going.pop(0)
            self.seen_to_go += 1
