# SPDX-License-Identifier: Apache-2.0
"""One writer under load: asks at random, checks every answer against its model, and stops where the server was killed."""

import queue
import random
import time

import grpc

from support.protocol import Store, oxia
from support.protocol import put as put_message

from .model import Answer, Broken, CloseSession, Delete, DeleteRange, MUST_NOT_EXIST, OK, Put, Record, State, Write, Writer

KEYS = 30
INDEX = "i"
# How a call may end when its server is killed or stopped under it; anything else is a finding.
ENDED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED}

SESSION_TIMEOUT = 300   # seconds; the longest that there is
SESSION_KEPT = 60       # how often a worker that only writes on a stream says that it lives; a life may last longer than the timeout


def folder_of(name):
    return f"/w{name:02}/"


def message_of(request, shard):
    puts = [put_message(p.key, p.value, [(INDEX, p.index)] if p.index else None, expected_version_id=p.expected,
                        session_id=p.session, **({"sequence_key_delta": [p.delta], "partition_key": "p"} if p.delta else {}))
            for p in request.puts]
    return oxia.WriteRequest(shard=shard, puts=puts,
                             deletes=[oxia.DeleteRequest(key=d.key, expected_version_id=d.expected) for d in request.deletes],
                             delete_ranges=[oxia.DeleteRangeRequest(start_inclusive=r.start, end_exclusive=r.end) for r in request.ranges])


def answers_of(response):
    puts = [Answer(a.status, a.version.version_id, a.version.modifications_count, a.key if a.HasField("key") else None)
            if a.status == OK else Answer(a.status) for a in response.puts]
    return puts, [d.status for d in response.deletes]


def record_of(read, index):
    version = read.version
    return Record(read.value, version.modifications_count, index, version.session_id if version.HasField("session_id") else None,
                  version.version_id)


class Worker:
    def __init__(self, name, shard, seed):
        self.pause = 0            # seconds after each request
        self.timeout = 20         # seconds that a call may take, and a stream of writes may last; None: as long as it likes
        self.name, self.shard, self.folder = name, shard, folder_of(name)
        self.chance = random.Random(f"{seed}/{name}")
        self.writer = Writer()
        self.acknowledged = 0
        self.told = {}            # (key, version) that notifications of this cycle must name, and the request it came from
        self.increments = (0, 0)  # of the shard's counter: acknowledged, unanswered
        self.failure = None

    # --- choosing

    def _key(self):
        return f"{self.folder}k{self.chance.randrange(KEYS):03}"

    def _value(self):
        return self.chance.randbytes(self.chance.choice((0, 8, 100, 100, 1000, 20_000)))

    def _expected(self, key):
        known = self.writer.state.records.get(key)
        kind = self.chance.randrange(6)
        if kind == 0:
            return MUST_NOT_EXIST
        if kind == 1 and known is not None and known.version is not None and not self.writer.unanswered:
            return known.version
        return 2**40 if kind == 2 else None

    def _put(self):
        if self.chance.random() < 0.15:
            return Put(self.folder + "s", self._value(), delta=self.chance.randrange(1, 4))
        key, session = self._key(), self.writer.state.session
        index = f"{self.chance.randrange(5)}" if self.chance.random() < 0.5 else None
        return Put(key, self._value(), self._expected(key), index, session if session and self.chance.random() < 0.4 else None)

    def _delete(self):
        key = self._key()
        return Delete(key, self._expected(key))

    def _range(self):
        if self.chance.random() < 0.3:
            return DeleteRange(self.folder + "s-", self.folder + "s-~")
        first = self.chance.randrange(KEYS)
        return DeleteRange(f"{self.folder}k{first:03}", f"{self.folder}k{first + self.chance.randrange(4):03}")

    def choose(self):
        kind = self.chance.random()
        if kind < 0.55:
            return Write((self._put(),))
        if kind < 0.7:
            return Write(deletes=(self._delete(),))
        if kind < 0.75:
            return Write(ranges=(self._range(),))
        return Write(tuple(self._put() for _ in range(self.chance.randrange(1, 6))),
                     tuple(self._delete() for _ in range(self.chance.randrange(3))),
                     (self._range(),) if self.chance.random() < 0.2 else ())

    # --- working

    def run(self, address):
        """Until the server is gone. What goes wrong is kept in `failure`."""
        self.failure, self.told, self.increments = None, {}, (0, 0)
        try:
            with Store(address, timeout=self.timeout, options=[("grpc.enable_retries", 0)]) as store:
                work = self.chance.choice((self._one_at_a_time, self._one_at_a_time, self._pipelined))
                work(store)
        except grpc.RpcError as error:
            if error.code() not in ENDED:
                self.failure = Broken(f"worker {self.name}: {error.code()} {error.details()}")
        except Exception as error:  # noqa: BLE001: the thread ends here, the cycle reports it
            self.failure = error

    def _one_at_a_time(self, store):
        while True:
            time.sleep(self.pause)
            kind = self.chance.random()
            if kind < 0.05:
                self._turn_session(store)
            elif kind < 0.15:
                self._read(store)
            elif kind < 0.25:
                self._increment(store)
            else:
                request = self.choose()
                self.writer.sent(request)
                self._take(request, store.calls.Write(message_of(request, self.shard), timeout=20))

    def _pipelined(self, store):
        """Many writes under way on one stream; what is unanswered at the end must be kept from the first without holes."""
        to_send = queue.SimpleQueue()
        stream = store.write_stream(iter(to_send.get, None), shard=str(self.shard))
        window = self.chance.randrange(2, 33)
        kept_alive = time.monotonic()
        while True:
            if self.writer.state.session is not None and time.monotonic() > kept_alive + SESSION_KEPT:
                store.keep_alive(self.writer.state.session, self.shard)
                kept_alive = time.monotonic()
            while len(self.writer.unanswered) < window:
                request = self.choose()
                self.writer.sent(request)
                to_send.put(message_of(request, self.shard))
            self._take(self.writer.unanswered[0], next(stream))
            time.sleep(self.pause)

    def _take(self, request, response):
        puts, deletes = answers_of(response)
        self.writer.answered(puts, deletes)
        self.acknowledged += 1
        last = {}
        for put, answer in zip(request.puts, puts):
            if answer.status == OK:
                last[answer.key or put.key] = answer.version
        for delete in request.deletes:   # of one write the last change of a key is told
            last.pop(delete.key, None)
        for start, end in request.ranges:   # told under the key of its start, even when it is empty
            last = {key: version for key, version in last.items() if key != start and not start <= key < end}
        self.told.update((told, request) for told in last.items())

    def _turn_session(self, store):
        session = self.writer.state.session
        if session is None:
            opened = store.create_session(SESSION_TIMEOUT * 1000, f"w{self.name}", self.shard)
            self.writer.state = State(self.writer.state.records, opened)
        elif self.chance.random() < 0.5:
            store.keep_alive(session, self.shard)
        else:
            self.writer.sent(CloseSession(session))
            store.close_session(session, self.shard)
            self.writer.answered()
            self.acknowledged += 1

    def _read(self, store):
        """Its own records as they are now: nobody else writes them."""
        state = self.writer.state
        if self.chance.random() < 0.3:
            keys = store.list(self.folder, self.folder + "/", self.shard)
            if keys != sorted(state.records):
                raise Broken(f"worker {self.name} listed {keys} instead of {sorted(state.records)}")
            return
        key = self._key()
        read, known = store.get(key, shard=self.shard), state.records.get(key)
        if known is None and read.status == OK or known is not None and (
                read.status != OK or not known.looks_like(record_of(read, known.index))):
            raise Broken(f"worker {self.name} read {str(read)[:300]} for {key} instead of {known}")

    def _increment(self, store):
        """One step of the counter that all workers of a shard share: a lost update or a write done twice would show."""
        read = store.get("/counter", shard=self.shard)
        value, expected = (int(read.value), read.version.version_id) if read.status == OK else (0, MUST_NOT_EXIST)
        done, open_ = self.increments
        self.increments = (done, open_ + 1)
        answer = store.put("/counter", str(value + 1), shard=self.shard, expected_version_id=expected)
        self.increments = (done + (answer.status == OK), open_)
