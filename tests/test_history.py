# SPDX-License-Identifier: Apache-2.0
"""The judge of histories finds what is wrong, and only that."""

import pytest

from support.history import ABSENT, History, Operation


def judged(*operations):
    history = History()
    history.operations = [Operation(*each) for each in operations]
    return history.violations()


def put(value, began, ended, version):
    return "put", "key", value, began, ended, version


def get(value, began, ended, version):
    return "get", "key", value, began, ended, version


def test_reads_may_see_either_of_what_overlaps_them():
    assert judged(put(b"a", 0, 1, 1), put(b"b", 2, 5, 2), get(b"a", 3, 4, 1)) == []
    assert judged(put(b"a", 0, 1, 1), put(b"b", 2, 5, 2), get(b"b", 3, 4, 2)) == []
    assert judged(get(None, 0, 3, ABSENT), put(b"a", 1, 2, 1)) == []


def test_a_put_without_an_answer_may_have_taken_effect_or_not():
    lost = ("put", "key", b"b", 2, float("inf"), None)
    assert judged(put(b"a", 0, 1, 1), lost, get(b"a", 3, 4, 1)) == []
    assert judged(put(b"a", 0, 1, 1), lost, get(b"b", 3, 4, 2)) == []
    assert judged(put(b"a", 0, 1, 1), lost, get(b"b", 3, 4, 2), get(b"a", 5, 6, 1)) != []


@pytest.mark.parametrize("operations", [
    (put(b"a", 0, 1, 1), put(b"b", 2, 3, 2), get(b"a", 4, 5, 1)),      # a stale read
    (put(b"a", 0, 1, 1), get(None, 2, 3, ABSENT)),                      # a lost write
    (put(b"a", 0, 1, 2), put(b"b", 2, 3, 1)),                           # writes out of order
    (get(b"a", 0, 1, 1), put(b"a", 2, 3, 1)),                           # a read from the future
    (put(b"a", 0, 1, 1), get(b"x", 2, 3, 2)),                           # a value that nobody put
    (put(b"a", 0, 1, 1), put(b"b", 0, 1, 1)),                           # one version for two writes
    (put(b"a", 0, 1, 1), get(b"a", 2, 3, 2)),                           # another version than its put was told
], ids=["stale", "lost", "order", "future", "unknown", "twice", "renamed"])
def test_what_can_not_have_been_is_found(operations):
    assert judged(*operations) != []
