# SPDX-License-Identifier: Apache-2.0
"""The model must find what it is there to find: each kind of damage is planted and must be seen."""

import pytest

from torture.model import (Answer, Broken, CloseSession, Delete, DeleteRange, OK, Put, Record, UNEXPECTED_VERSION_ID, Write, Writer,
                           apply)


def write(writer, *puts, deletes=(), ranges=(), versions=None, statuses=()):
    writer.sent(Write(puts, deletes, ranges))
    first = writer.last_version + 1
    _, (wanted, _) = apply(writer.state, writer.unanswered[0])
    writer.answered([a._replace(version=first + n) if a.status == OK else a for n, a in enumerate(wanted)], statuses)


def record(value, version, modifications=0, index=None, session=None):
    return Record(value, modifications, index, session, version)


def test_what_was_acknowledged_must_be_there():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    writer.settle({"/a": record(b"1", 0)}, False)
    with pytest.raises(Broken):
        writer.settle({}, False)


def test_a_value_of_an_older_write_is_seen():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    write(writer, Put("/a", b"2"))
    with pytest.raises(Broken):
        writer.settle({"/a": record(b"1", 0)}, False)


def test_a_wrong_version_count_or_index_is_seen():
    writer = Writer()
    write(writer, Put("/a", b"1", index="i"))
    for wrong in (record(b"1", 1, index="i"), record(b"1", 0, 1, "i"), record(b"1", 0), record(b"1", 0, index="i", session=4)):
        with pytest.raises(Broken):
            writer.settle({"/a": wrong}, False)
    writer.settle({"/a": record(b"1", 0, index="i")}, False)


def test_a_deleted_record_must_not_come_back():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    write(writer, deletes=(Delete("/a"),), statuses=[OK])
    with pytest.raises(Broken):
        writer.settle({"/a": record(b"1", 0)}, False)


def test_a_record_from_nowhere_is_seen():
    with pytest.raises(Broken):
        Writer().settle({"/x": record(b"1", 0)}, False)


def test_an_unanswered_write_may_be_there_or_not_but_only_whole():
    for found, fits in (({}, True), ({"/a": record(b"1", 3), "/b": record(b"2", 4)}, True), ({"/a": record(b"1", 3)}, False)):
        writer = Writer()
        writer.sent(Write((Put("/a", b"1"), Put("/b", b"2"))))
        if fits:
            writer.settle(found, False)
            assert writer.unanswered == []
        else:
            with pytest.raises(Broken):
                writer.settle(found, False)


def test_unanswered_writes_are_kept_from_the_first_without_holes():
    writer = Writer()
    for key in "abc":
        writer.sent(Write((Put(f"/{key}", b"1"),)))
    with pytest.raises(Broken):
        writer.settle({"/a": record(b"1", 0), "/c": record(b"1", 1)}, False)
    assert writer.settle({"/a": record(b"1", 0), "/b": record(b"1", 1)}, False) == 2


def test_an_unanswered_put_with_an_old_version_is_seen():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    write(writer, Put("/b", b"1"))
    writer.sent(Write((Put("/a", b"2"),)))
    with pytest.raises(Broken):
        writer.settle({"/a": record(b"2", 1, 1), "/b": record(b"1", 1)}, False)


def test_wrong_answers_are_seen():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    writer.sent(Write((Put("/a", b"2", expected=-1),)))
    with pytest.raises(Broken):
        writer.answered([Answer(OK, 1, 1)])
    writer = Writer()
    writer.sent(Write((Put("/a", b"2", expected=9),)))
    writer.answered([Answer(UNEXPECTED_VERSION_ID)])
    writer.sent(Write((Put("s", b"x", delta=2),)))
    with pytest.raises(Broken):
        writer.answered([Answer(OK, 1, 0, f"s-{1:020}")])


def test_versions_must_rise():
    writer = Writer()
    write(writer, Put("/a", b"1"))
    writer.sent(Write((Put("/b", b"1"),)))
    with pytest.raises(Broken):
        writer.answered([Answer(OK, 0, 0)])


def test_ranges_sequences_and_sessions_are_followed():
    writer = Writer()
    write(writer, Put("s", b"1", delta=1), Put("s", b"2", delta=4), Put("/a", b"x"))
    assert set(writer.state.records) == {f"s-{1:020}", f"s-{5:020}", "/a"}
    write(writer, ranges=(DeleteRange("s", "t"),))
    assert set(writer.state.records) == {"/a"}
    writer.state = writer.state.__class__(writer.state.records, 77)
    write(writer, Put("/e", b"1", session=77))
    writer.sent(CloseSession(77))
    with pytest.raises(Broken):   # the session ended and its record stayed
        Writer.settle(writer, {"/a": record(b"x", 2), "/e": record(b"1", 3, session=77)}, False)
    assert writer.settle({"/a": record(b"x", 2)}, False) == 1
