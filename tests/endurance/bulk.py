# SPDX-License-Identifier: Apache-2.0
"""The bulk of the load: records that grow to their number and are then overwritten, read singly, in pages and backwards.

Each record holds how often it was written. Whoever reads one must find at least what was acknowledged before the read.
"""

import struct

from support.protocol import OK, oxia, put, v1
from torture.model import Broken

from .users import User

FOLDER = "/bulk/"
IN_MESSAGE = 15
VALUE_BYTES = 1000


def key_of(number):
    return f"{FOLDER}{number:08}"


class Records:
    """Of one shard: what is known to be written. Only its writer changes it."""

    def __init__(self, count):
        self.acknowledged = [0] * count
        self.written = 0   # of them, from the first on

    def check(self, key, value, before, who):
        number, = struct.unpack_from(">Q", value)
        if number < before or len(value) != VALUE_BYTES:
            raise Broken(f"{who}: {key} holds write {number} ({len(value)} bytes), and write {before} was acknowledged before")


class BulkWriter(User):
    per_second = 6.0

    def __init__(self, server, shard, seed, shards, records):
        super().__init__(server, f"bulk writer {shard}", seed, shards)
        self.shard, self.records = shard, records
        self.sent = [0] * len(records.acknowledged)
        self.filling = self.chance.randbytes(VALUE_BYTES * 2)   # does not compress well
        self.puts = 0

    def step(self, store):
        numbers = self._numbers()
        for number in numbers:
            self.sent[number] += 1
        answers = store.write(self.shard, [put(key_of(number), self._value(number)) for number in numbers]).puts
        for number, answer in zip(numbers, answers):
            if answer.status != OK:
                raise Broken(f"{self.name}: a put was answered {answer}")
            self.records.acknowledged[number] = self.sent[number]
        self.records.written = max(self.records.written, numbers[-1] + 1)
        self.puts += len(numbers)

    def _numbers(self):
        count, written = len(self.sent), self.records.written
        if written < count:
            return range(written, min(written + IN_MESSAGE, count))
        return sorted(self.chance.sample(range(count), IN_MESSAGE))

    def _value(self, number):
        at = self.chance.randrange(VALUE_BYTES)
        return struct.pack(">Q", self.sent[number]) + self.filling[at:at + VALUE_BYTES - 8]


class BulkReader(User):
    per_second = 5.0

    def __init__(self, server, seed, shards, records):
        super().__init__(server, "bulk reader", seed, shards)
        self.records = records
        self.gets = self.walked = 0

    def step(self, store):
        shard = self.chance.randrange(self.shards)
        records = self.records[shard]
        if records.written == 0:
            return
        self.chance.choice((self._get, self._get, self._scan, self._list))(store, shard, records)

    def _get(self, store, shard, records):
        wanted = {key_of(n): records.acknowledged[n] for n in self.chance.choices(range(records.written), k=20)}
        found = store.read(shard, [oxia.GetRequest(key=key, include_value=True) for key in wanted])
        for (key, before), read in zip(wanted.items(), found, strict=True):
            if read.status != OK:
                raise Broken(f"{self.name}: {key} of shard {shard} was acknowledged and is not there")
            records.check(key, read.value, before, self.name)
        self.gets += len(found)

    def _scan(self, store, shard, records):
        start, token = self.chance.randrange(records.written), ""
        before = records.acknowledged[start:start + 100]
        for _ in range(2):   # pages
            request = v1.RangeScanRequest(shard=shard, start_inclusive=key_of(start), end_exclusive=key_of(start + 100), limit=60,
                                          page_token=token)
            for answer in store.v1.RangeScan(request, timeout=store.timeout):
                token = answer.next_page_token
                for record in answer.records:
                    number = int(record.key.rsplit("/", 1)[1]) - start
                    records.check(record.key, record.value, before[number] if number < len(before) else 0, self.name)
                self.walked += len(answer.records)
            if not token:
                return

    def _list(self, store, shard, records):
        last = self.chance.randrange(records.written)
        request = v1.ListRequest(shard=shard, start_inclusive=FOLDER, end_exclusive=key_of(last + 1), limit=100, reverse=True)
        keys = [key for answer in store.v1.List(request, timeout=store.timeout) for key in answer.keys]
        if keys != [key_of(number) for number in range(last, max(-1, last - 100), -1)]:
            raise Broken(f"{self.name}: walking back from {last} in shard {shard} showed {keys[:5]}…, {len(keys)} of them")
        self.walked += len(keys)
