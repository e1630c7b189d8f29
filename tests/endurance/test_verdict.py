# SPDX-License-Identifier: Apache-2.0
"""The verdict must find what it is there to find: each kind of growth is planted in made-up samples and must be seen."""

import random

import pytest

from endurance.endurance import lives
from endurance.verdict import BROKEN, EQUAL_AGE, FIRST_LIVES, HELD, LIVES, LONG_LIFE, MIB, OPEN, judge, levels, status
from endurance.watch import COUNTERS, GAUGES, Sample, sums

DRAINED = {"sessions": 0, "followers": 0, "in_flight": 0, "connections": 1}


def run(lives=10, long_life=45 * 60, grow=None, per_hour=0, per_life=0, **figures):
    """A run with a warm-up, noise, and one long life in the middle; `grow` names what grows, with age and from life to life."""
    chance, samples, at = random.Random(7), [], 0
    for life in range(1, lives + 1):
        length = long_life if life == lives // 2 else 240
        for age in range(0, length + 1, 12):
            cached = min(age, 300) / 300 * 60 * MIB
            values = {"rss": 90 * MIB + cached + chance.uniform(-6, 6) * MIB, "descriptors": 80 + chance.randrange(6), "threads": 19,
                      "log_bytes": 400 * MIB + chance.randrange(3) * 64 * MIB, "engine_bytes": (150 + chance.randrange(60)) * MIB}
            if grow:
                values[grow] += per_hour * age / 3600 + per_life * life
            samples.append(Sample(at + age, life, age, cpu=age * 0.1, load_cpu=(at + age) * 0.1, **values,
                                  figures={**dict.fromkeys([*GAUGES, *COUNTERS], 0), **figures}))
        at += length
    return samples


def broken_in(samples, recoveries=(0.5,), drained=DRAINED):
    return {finding.what.split(",")[0] for finding in judge(samples, list(recoveries), drained) if finding.state == BROKEN}


def test_a_flat_run_holds_every_bound():
    findings = judge(run(), [0.5, 0.7], DRAINED)
    assert {finding.state for finding in findings} == {HELD}
    assert status(findings) == 0


@pytest.mark.parametrize("grow, per_hour, name", [("rss", 80 * MIB, "memory"), ("descriptors", 60, "descriptors"),
                                                  ("threads", 12, "threads"), ("log_bytes", 1200 * MIB, "log on disk"),
                                                  ("engine_bytes", 800 * MIB, "engine on disk")])
def test_growth_within_the_long_life_is_seen(grow, per_hour, name):
    findings = judge(run(grow=grow, per_hour=per_hour), [0.5], DRAINED)
    assert {finding.what.split(",")[0] for finding in findings if finding.state == BROKEN} == {name}
    assert status(findings) == 1


@pytest.mark.parametrize("grow, per_life, name", [("rss", 8 * MIB, "memory"), ("descriptors", 3, "descriptors"), ("threads", 1, "threads"),
                                                  ("log_bytes", 60 * MIB, "log on disk"), ("engine_bytes", 60 * MIB, "engine on disk")])
def test_growth_from_life_to_life_is_seen(grow, per_life, name):
    assert broken_in(run(grow=grow, per_life=per_life)) == {name}


def test_what_a_life_caches_after_its_start_is_no_growth():
    assert broken_in(run()) == set()


def test_a_short_run_is_not_called_flat():
    findings = judge(run(long_life=20 * 60), [0.5], DRAINED)
    assert {finding.state for finding in findings} == {HELD, OPEN} and status(findings) == 3
    findings = judge(run(lives=LIVES), [0.5], DRAINED)
    assert len(levels(run(lives=LIVES), "rss")) == LIVES - 1 and status(findings) == 3
    assert status(judge([], [], None)) == 3


def test_a_short_run_that_grows_is_broken_all_the_same():
    assert "memory" in broken_in(run(long_life=20 * 60, grow="rss", per_hour=400 * MIB))


@pytest.mark.parametrize("figure", ["disk_full", "write_failures", "refused"])
def test_what_must_never_be_is_seen(figure):
    assert broken_in(run(**{figure: 1})) == {figure.replace("_", " ")}


def test_a_full_mailbox_a_slow_recovery_and_a_full_disk_are_seen():
    assert broken_in(run(mailbox=5000)) == {"messages between cores that wait"}
    assert broken_in(run(), recoveries=(0.5, 31)) == {"serving again after a start"}
    big = run()
    big[40].log_bytes = 9 * 2**30
    assert "MiB on disk" in broken_in(big)


@pytest.mark.parametrize("left", ["sessions", "followers", "in_flight", "connections"])
def test_what_is_left_when_all_have_gone_is_seen(left):
    assert broken_in(run(), drained={**DRAINED, left: 3}) == {f"{left.replace('_', ' ')} when all have gone"}
    assert status(judge(run(), [0.5], None)) == 3


def test_a_failed_check_of_the_load_is_broken_whatever_the_samples_say():
    assert status(judge(run(), [0.5], DRAINED), broken="an acknowledged record was lost") == 1


def test_figures_are_summed_over_their_series():
    assert sums('# HELP a x\na{core="0",b="}"} 2\na{core="1"} 3.5\nb 1\n') == {"a": 5.5, "b": 1.0}


def test_two_hours_are_enough_to_judge_everything():
    for seed in range(200):
        plan = lives(2 * 3600, LONG_LIFE + 60, 240, random.Random(seed))
        assert sum(plan) == pytest.approx(2 * 3600)
        assert max(plan) >= LONG_LIFE and plan[0] < max(plan) and plan[-1] < max(plan)
        assert sum(life >= EQUAL_AGE[1] for life in plan[FIRST_LIVES:]) >= LIVES
