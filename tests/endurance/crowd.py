# SPDX-License-Identifier: Apache-2.0
"""Users of everything that is not plain records: sessions, times to live, sequences, indexes, batches, followers, visits."""

import socket
import time

import grpc

from support.protocol import KEY_NOT_FOUND, OK, Store, oxia, v1
from torture.model import Broken

from .users import User, Vanishing


class SessionHolder(Vanishing):
    """Opens sessions with ephemeral records; closes some, keeps some alive for a while, and lets the others fall silent."""
    per_second = 1.5
    SECONDS = 3

    def arrive(self, store):
        super().arrive(store)
        self.held = []

    def step(self, store):
        shard, key = self.chance.randrange(self.shards), f"/session/{self.done:08}"
        session = store.create_session(self.SECONDS * 1000, self.name, shard)
        for part in range(3):
            store.put(f"{key}-{part}", b"here", shard=shard, session_id=session)
        self.held.append((time.monotonic() + self.chance.uniform(0, 20), session, shard, key))
        if len(self.held) > 20:
            until, session, shard, key = self.held.pop(0)
            self._end(store, session, shard, key)
        for until, session, shard, _ in [each for each in self.held if each[0] > time.monotonic()]:
            if self.chance.random() < 0.5:
                self._keep(store, session, shard)
        self.look(store)

    def _keep(self, store, session, shard):
        try:
            store.keep_alive(session, shard)
        except grpc.RpcError as error:   # silent for too long, by chance
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise

    def _end(self, store, session, shard, key):
        if self.chance.random() < 0.5:
            try:
                store.close_session(session, shard)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
        for part in range(3):
            self.must_go(self.SECONDS, shard, f"{key}-{part}")


class ShortLived(Vanishing):
    """Puts records with a time to live, some again before it is over."""
    per_second = 3.0

    def step(self, store):
        shard, key = self.chance.randrange(self.shards), f"/ttl/{self.done % 500:04}"
        milliseconds = self.chance.randrange(200, 5000)
        single = f"{key}-{self.done}"
        puts = [v1.Put(key=key, value=b"x" * 200, time_to_live_ms=milliseconds),
                v1.Put(key=single, value=b"x", time_to_live_ms=milliseconds)]
        answer = store.v1.Write(v1.WriteRequest(shard=shard, puts=puts), timeout=store.timeout)
        if any(put.status != OK or not put.version.HasField("expires_timestamp") for put in answer.puts):
            raise Broken(f"{self.name}: {answer}")
        self.must_go(milliseconds / 1000, shard, single)
        self.look(store)


class SequenceMaker(User):
    """Lets the store make keys, which must rise, and deletes the older of them."""
    per_second = 3.0

    def arrive(self, store):
        self.last = {}

    def step(self, store):
        shard = self.chance.randrange(self.shards)
        answer = store.put("/sequence", b"x" * 100, shard=shard, partition_key="p", sequence_key_delta=[self.chance.randrange(1, 4)])
        if answer.status != OK or answer.key <= self.last.get(shard, ""):
            raise Broken(f"{self.name}: after {self.last.get(shard)} came {answer}")
        self.last[shard] = answer.key
        if self.done % 100 == 99:
            store.delete_range("/sequence-", self.last[shard], shard=shard)


class IndexUser(User):
    """Moves its records between owners; each owner's list must hold its records and no other."""
    per_second = 3.0
    KEYS, OWNERS = 200, 10

    def arrive(self, store):
        self.owner = {}
        for n in range(self.OWNERS):
            self.owner.update(dict.fromkeys(self._list(store, n), n))

    def _list(self, store, owner):
        return store.list(f"{owner}", f"{owner}~", shard=0, index="owner")

    def step(self, store):
        key, owner = f"/owned/{self.chance.randrange(self.KEYS):04}", self.chance.randrange(self.OWNERS)
        if self.chance.random() < 0.2:
            status = store.delete(key)
            if status != (OK if key in self.owner else KEY_NOT_FOUND):
                raise Broken(f"{self.name}: deleting {key} of {self.owner.get(key)} was answered {status}")
            self.owner.pop(key, None)
        else:
            store.put(key, f"{owner}", indexes=[("owner", f"{owner}")])
            self.owner[key] = owner
        found = self._list(store, owner)
        if sorted(found) != sorted(each for each, of in self.owner.items() if of == owner):
            raise Broken(f"{self.name}: the index shows {found} for owner {owner}, after {key}")


class Bank(User):
    """Moves money in atomic batches that name their request; some are sent twice. Nothing is made or lost on the way."""
    per_second = 3.0
    ACCOUNTS, EACH = 10, 1000

    def __init__(self, server, number, seed, shards):
        super().__init__(server, f"bank {number}", seed, shards)
        self.client, self.sequence = f"{self.name} {seed}".encode(), 0
        self.prefix = f"/bank/{number}-"

    def arrive(self, store):
        if not store.list(self.prefix, self.prefix + "~", shard=1):
            self._send(store, [], [(f"{self.prefix}{n}", self.EACH) for n in range(self.ACCOUNTS)])

    def step(self, store):
        accounts = store.scan(self.prefix, self.prefix + "~", shard=1)
        total = sum(int(record.value) for record in accounts)
        if total != self.ACCOUNTS * self.EACH:
            raise Broken(f"{self.name}: {total} in all accounts")
        giver, taker = self.chance.sample(accounts, 2)
        amount = self.chance.randrange(int(giver.value) + 1)
        guards = [(record.key, record.version.version_id) for record in (giver, taker)]
        moved = [(giver.key, int(giver.value) - amount), (taker.key, int(taker.value) + amount)]
        if self._send(store, guards, moved).HasField("rejection"):
            raise Broken(f"{self.name}: refused, though nobody else moves this money")
        stale = [(giver.key, giver.version.version_id)]
        if self.done % 20 == 0 and not self._send(store, stale, [(giver.key, 0)]).HasField("rejection"):
            raise Broken(f"{self.name}: a batch took place though its guard named an older version")

    def _send(self, store, guards, puts):
        self.sequence += 1
        request = v1.BatchRequest(shard=1, request_id=v1.RequestId(client=self.client, sequence=self.sequence),
                                  guards=[v1.Guard(key=key, version_id=version) for key, version in guards])
        for key, value in puts:
            request.operations.add(put=v1.Put(key=key, value=str(value).encode()))
        answer = store.v1.Batch(request, timeout=store.timeout)
        if self.chance.random() < 0.2 and store.v1.Batch(request, timeout=store.timeout) != answer:
            raise Broken(f"{self.name}: the same request got another answer the second time")
        return answer


class Follower(User):
    """Follows the changes of a shard through Oxia's service; comes back where it was."""
    per_second = 1000.0
    timeout = None

    def __init__(self, server, shard, seed, shards):
        super().__init__(server, f"follower {shard}", seed, shards)
        self.shard, self.offset = shard, None

    def arrive(self, store):
        self.call = self._follow(store)
        if self.leaving.is_set():
            self.call.cancel()

    def _follow(self, store):
        return store.notifications(self.shard, after=self.offset)

    def step(self, store):
        batch = next(self.call)
        if self.offset is not None and batch.offset <= self.offset:
            raise Broken(f"{self.name}: offset {batch.offset} after {self.offset}")
        self.offset = batch.offset


class SlowFollower(Follower):
    """Takes one batch a second, of far more that there are, and so falls behind; starts again at the newest from time to time."""
    per_second = 1.0

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.name = "slow follower"

    def step(self, store):
        super().step(store)
        if self.done % 900 == 899:
            self.call.cancel()
            self.offset = None
            self.arrive(store)


class PrefixFollower(Follower):
    """Follows some keys only, through skerry.store.v1; it is always there, so there is no gap that it can be told of."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.name = "prefix follower"

    def _follow(self, store):
        return store.v1.GetNotifications(v1.NotificationsRequest(shard=self.shard, start_offset_exclusive=self.offset,
                                                                 key_prefixes=["/bank/", "/ttl/"]), timeout=None)

    def step(self, store):
        batch = next(self.call)
        if batch.HasField("gap") or self.offset is not None and batch.offset <= self.offset:
            raise Broken(f"{self.name}: after offset {self.offset} came {str(batch)[:300]}")
        self.offset = batch.offset


class Visitor(User):
    """Connects, asks one thing, and goes; sometimes without a word, sometimes in the middle of an answer."""
    per_second = 2.0

    def step(self, store):
        manner = self.chance.randrange(4)
        if manner == 0:
            self._say_nothing()
            return
        with Store(self.server.address, timeout=30, options=[("grpc.enable_retries", 0)]) as own:
            if manner == 1:
                own.check_health("oxia-readiness")
            elif manner == 2:
                own.get("/bulk/00000000", shard=self.chance.randrange(self.shards))
            else:
                shard = self.chance.randrange(self.shards)
                request = oxia.RangeScanRequest(shard=shard, start_inclusive="/bulk/", end_exclusive="/bulk//")
                next(own.calls.RangeScan(request, timeout=30), None)   # and goes without the rest

    def _say_nothing(self):
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as connection:
                if self.chance.random() < 0.5:
                    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)[:self.chance.randrange(10)])
        except OSError:   # between two lives of the server
            self.leaving.wait(0.5)


def crowd(server, seed, shards):
    plain = [(SessionHolder, "session holder"), (ShortLived, "short-lived"), (SequenceMaker, "sequence maker"),
             (IndexUser, "index user"), (Visitor, "visitor")]
    return [*(kind(server, name, seed, shards) for kind, name in plain), *(Bank(server, n, seed, shards) for n in range(2)),
            *(Follower(server, shard, seed, shards) for shard in range(shards)), SlowFollower(server, 0, seed, shards),
            PrefixFollower(server, 1, seed, shards)]
