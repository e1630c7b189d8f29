# SPDX-License-Identifier: Apache-2.0
"""What clients asked and were told, and whether one store that does one thing at a time could have told them that.

Keys are only ever put, each time with a value of its own, and a put's answer names its version, as a get's does. Versions rise in the
order in which a shard's writes took effect, so that order is known and need not be searched for: what remains of linearizability is
that no operation took effect before it began or after it ended. A put without an answer took effect if anybody saw its value.
"""

import bisect
import threading
import time
from dataclasses import dataclass

ABSENT = -1


@dataclass
class Operation:
    kind: str            # "put" or "get"
    key: str
    value: bytes | None  # put, or seen; None: absent
    began: float
    ended: float
    version: int | None  # None: a put whose answer never came


class History:
    """Filled by any number of threads, judged once they have ended."""

    def __init__(self):
        self._lock = threading.Lock()
        self.operations = []

    def put(self, key, value, call):
        """Carries out a put. `call` returns its version; or None when it certainly took no effect, and raises when that is unknown."""
        began = time.monotonic()
        try:
            version = call()
        except Exception:
            self._add(Operation("put", key, value, began, float("inf"), None))
            raise
        if version is not None:
            self._add(Operation("put", key, value, began, time.monotonic(), version))
        return version

    def get(self, key, call):
        """Carries out a get. `call` returns (version, value), (ABSENT, None), or None when it was not answered."""
        began = time.monotonic()
        answer = call()
        if answer is not None:
            self._add(Operation("get", key, answer[1], began, time.monotonic(), answer[0]))
        return answer

    def _add(self, operation):
        with self._lock:
            self.operations.append(operation)

    def counts(self):
        puts = [each for each in self.operations if each.kind == "put"]
        return {"puts": sum(each.version is not None for each in puts), "unanswered": sum(each.version is None for each in puts),
                "gets": len(self.operations) - len(puts)}

    def violations(self):
        """What can't have been, in words; none when all is well."""
        by_key = {}
        for each in self.operations:
            by_key.setdefault(each.key, []).append(each)
        return [wrong for key, operations in sorted(by_key.items()) for wrong in _violations_of(key, operations)]


def _violations_of(key, operations):
    wrong = []
    writes = {each.value: each for each in operations if each.kind == "put"}
    by_version = {}
    for each in operations:
        if each.version is None or each.version == ABSENT:
            continue
        known = by_version.setdefault(each.version, each.value)
        if known != each.value:
            wrong.append(f"{key}: version {each.version} is {known!r} and {each.value!r}")
    timed = []
    for each in operations:
        if each.kind == "put" and each.version is None:
            continue
        if each.kind == "get" and each.version != ABSENT:
            write = writes.get(each.value)
            if write is None:
                wrong.append(f"{key}: {each.value!r} was read and never put")
            elif write.began > each.ended:
                wrong.append(f"{key}: {each.value!r} was read before it was put")
            elif write.version is not None and write.version != each.version:
                wrong.append(f"{key}: {each.value!r} was put as version {write.version} and read as {each.version}")
        timed.append(each)
    # Whatever had ended before an operation began, it must come after.
    ended = sorted(timed, key=lambda each: each.ended)
    ends, highest = [], []
    for each in ended:
        ends.append(each.ended)
        highest.append(each if not highest or each.version > highest[-1].version else highest[-1])
    for each in timed:
        before = bisect.bisect_left(ends, each.began)
        if before == 0:
            continue
        newest = highest[before - 1]
        late = newest.version > each.version or (each.kind == "put" and newest.version == each.version)
        if late and newest is not each:
            wrong.append(f"{key}: a {each.kind} of version {each.version} began {each.began - newest.ended:.4f} s after a {newest.kind} of "
                         f"version {newest.version} had ended")
    return wrong
