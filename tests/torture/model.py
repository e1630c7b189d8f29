# SPDX-License-Identifier: Apache-2.0
"""What the records of one writer must look like, told from what it asked for and what was answered.

A writer has a folder of keys to itself, so the state of these records follows from its own writes alone. State is immutable:
apply() gives the next one. While writes are unanswered there are several states that the store may truthfully show: the one
after the last answer, and those after each unanswered write in the order they were sent. A write is whole or not at all.
"""

import collections
import dataclasses
from typing import NamedTuple, Optional

OK, KEY_NOT_FOUND, UNEXPECTED_VERSION_ID, SESSION_DOES_NOT_EXIST = range(4)
MUST_NOT_EXIST = -1


class Record(NamedTuple):
    value: bytes
    modifications: int
    index: Optional[str]
    session: Optional[int]
    version: Optional[int]   # None: written, not answered

    def looks_like(self, other):
        """Whether `other`, which was read, can be this record."""
        return self._replace(version=None) == other._replace(version=None) and (self.version is None or self.version == other.version)


class Put(NamedTuple):
    key: str                          # a prefix, when there is a delta
    value: bytes
    expected: Optional[int] = None
    index: Optional[str] = None
    session: Optional[int] = None
    delta: Optional[int] = None

    def __repr__(self):
        more = "".join(f" {name}={value}" for name, value in self._asdict().items() if name not in ("key", "value") and value is not None)
        return f"put {self.key} ({len(self.value)} bytes){more}"


class Delete(NamedTuple):
    key: str
    expected: Optional[int] = None


class DeleteRange(NamedTuple):
    start: str
    end: str


class Write(NamedTuple):
    puts: tuple = ()
    deletes: tuple = ()
    ranges: tuple = ()


class CloseSession(NamedTuple):
    session: int


class Answer(NamedTuple):
    """Of one put: its status, and what the store says that it stored."""
    status: int
    version: Optional[int] = None
    modifications: int = 0
    key: Optional[str] = None


class Broken(Exception):
    """The store did what it must not do."""


@dataclasses.dataclass(frozen=True)
class State:
    records: dict = dataclasses.field(default_factory=dict)
    session: Optional[int] = None   # of the writer, when one is open

    def sequence_end(self, prefix):
        """The number in the highest key made from the prefix."""
        made = [key for key in self.records if key.startswith(prefix + "-")]
        return int(max(made)[len(prefix) + 1:]) if made else 0


def _refusal(record, expected):
    if expected is None:
        return OK
    if expected == MUST_NOT_EXIST:
        return OK if record is None else UNEXPECTED_VERSION_ID
    return OK if record is not None and record.version == expected else UNEXPECTED_VERSION_ID


def apply(state, request):
    """(next state, answers that the store must give): puts as Answer with version None, deletes as statuses."""
    if isinstance(request, CloseSession):
        left = {key: record for key, record in state.records.items() if record.session != request.session}
        return State(left, None), ([], [])
    records, puts, deletes = dict(state.records), [], []
    for put in request.puts:
        key = put.key
        if put.delta is not None:
            key = f"{put.key}-{State(records).sequence_end(put.key) + put.delta:020}"
        old = records.get(key)
        status = _refusal(old, put.expected)
        if status == OK and put.session is not None and put.session != state.session:
            status = SESSION_DOES_NOT_EXIST
        if status != OK:
            puts.append(Answer(status))
            continue
        count = old.modifications + 1 if old else 0
        records[key] = Record(put.value, count, put.index, put.session, None)
        puts.append(Answer(OK, None, count, key if put.delta is not None else None))
    for delete in request.deletes:
        old = records.get(delete.key)
        status = KEY_NOT_FOUND if old is None and delete.expected in (None, MUST_NOT_EXIST) else _refusal(old, delete.expected)
        if old is not None and delete.expected == MUST_NOT_EXIST:
            status = UNEXPECTED_VERSION_ID
        deletes.append(status)
        if status == OK:
            del records[delete.key]
    for start, end in request.ranges:
        for key in [key for key in records if start <= key < end]:
            del records[key]
    return State(records, state.session), (puts, deletes)


def acknowledge(state, request, puts, deletes):
    """The state after an answered request; Broken when the answer is not the one it must be."""
    after, (wanted_puts, wanted_deletes) = apply(state, request)
    if list(deletes) != wanted_deletes or [answer._replace(version=None) for answer in puts] != wanted_puts:
        raise Broken(f"{request} was answered {puts} {deletes}, and should have been {wanted_puts} {wanted_deletes}")
    if isinstance(request, CloseSession):
        return after
    records = dict(after.records)
    for put, answer in zip(request.puts, puts):
        key = answer.key or put.key
        if answer.status == OK and key in records and records[key].value == put.value:
            records[key] = records[key]._replace(version=answer.version)
    return State(records, after.session)


class Writer:
    """One writer's view: the state after the last answer, and the requests sent since."""

    def __init__(self):
        self.state = State()
        self.unanswered = []
        self.last_version = -1      # of any acknowledged put: later ones must be higher
        self.history = collections.deque(maxlen=20)   # what was answered last, for the person who reads a failure

    def sent(self, request):
        self.unanswered.append(request)

    def answered(self, puts=(), deletes=()):
        request = self.unanswered.pop(0)
        self.history.append((request, puts, deletes))
        self.state = acknowledge(self.state, request, puts, deletes)
        for answer in puts:
            if answer.status == OK:
                if answer.version <= self.last_version:
                    raise Broken(f"{request} got version {answer.version} after {self.last_version}")
                self.last_version = answer.version

    def possible(self):
        """States that the store may show now, with the number of unanswered requests that they contain."""
        states = [self.state]
        for request in self.unanswered:
            states.append(apply(states[-1], request)[0])
        return states

    def settle(self, records, session_alive):
        """Takes what the store shows after a restart as the truth, if it can be; returns how many unanswered requests it kept.

        `session_alive` tells of the session that the acknowledged state holds; it is not asked when there is none."""
        states = self.possible()
        for kept, state in enumerate(states):
            if self._fits(state, records) and (self.state.session is None or (state.session is not None) == session_alive):
                self.state = State(dict(records), state.session)
                self.history.append(f"-- restart: {kept} of {len(self.unanswered)} unanswered were kept")
                self.unanswered.clear()
                return kept
        raise Broken(self._difference(states, records, session_alive))

    def _fits(self, state, records):
        if state.records.keys() != records.keys():
            return False
        for key, record in state.records.items():
            found = records[key]
            if not record.looks_like(found) or (record.version is None and found.version <= self._version_before(key)):
                return False
        return True

    def _version_before(self, key):
        """A put that was not answered still came after every acknowledged one of its writer."""
        return self.last_version if key not in self.state.records or self.state.records[key].version is not None else -1

    def _difference(self, states, records, session_alive):
        lines = [f"the store shows none of the {len(states)} states it may (session alive: {session_alive}, "
                 f"of the model: {[s.session for s in states]}); against the first and the last of them:"]
        for state in (states[0], states[-1]):
            for key in sorted(state.records.keys() | records.keys()):
                wanted, found = state.records.get(key), records.get(key)
                if wanted is None or found is None or not wanted.looks_like(found):
                    lines.append(f"  {key}: expected {_short(wanted)}, found {_short(found)}")
            lines.append("  --")
        return "\n".join(lines[:60])


def told(history):
    """The last answers as text, one a line."""
    return "\n".join(f"  {line}" if isinstance(line, str) else f"  {line[0]} -> "
                     + " ".join([f"{a.status}/{a.version}{'/' + a.key if a.key else ''}" for a in line[1]] + [str(d) for d in line[2]])
                     for line in history)


def _short(record):
    return "nothing" if record is None else str(record._replace(value=record.value[:24]))
