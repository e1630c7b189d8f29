# SPDX-License-Identifier: Apache-2.0
"""Whether a run was flat. Each bound is judged held, broken, or, when the run was too short to tell, open.

Memory of a store rises after each start, by what it caches, until its budget is full. So like is compared with like: lives of the
process at equal age, and within one long life only what comes after it has settled.
"""

import dataclasses
import statistics

MIB = 2**20
FIRST_LIVES = 1            # while the data grows to its final size; not compared
EQUAL_AGE = (60, 120)      # seconds: the age at which lives are compared
LONG_LIFE = 40 * 60        # seconds: one life without a kill must be this long
SETTLED = 10 * 60          # seconds: its memory may rise until then
LIVES = 6                  # of full age, needed to compare them

# What a level may rise by: a share of it, or so much, whichever is more.
RISE = {"rss": (0.10, 16 * MIB), "descriptors": (0.10, 8), "threads": (0.0, 2), "log_bytes": (0.25, 128 * MIB),
        "engine_bytes": (0.25, 128 * MIB)}
NAMES = {"rss": "memory", "descriptors": "descriptors", "threads": "threads", "log_bytes": "log on disk", "engine_bytes": "engine on disk"}
RECOVERY = 30.0            # seconds from launch to serving, at most; also on a machine that does much else
DISK = 8 * 2**30           # bytes of log and engine, at most
NEVER = ("disk_full", "write_failures", "refused")
MAILBOX = 100              # median of messages between cores that wait
DRAINED = {"sessions": 0, "followers": 0, "in_flight": 0, "connections": 2}   # at most, when everybody has gone

HELD, BROKEN, OPEN = "held", "BROKEN", "open"


@dataclasses.dataclass
class Finding:
    what: str
    bound: str
    found: str
    state: str


def shown(name, value):
    return f"{value / MIB:.0f} MiB" if name in ("rss", "log_bytes", "engine_bytes") else f"{value:.0f}"


def allowed(name, level):
    share, least = RISE[name]
    return max(share * level, least)


def rise(name, what, before, after, enough):
    state = BROKEN if after > before + allowed(name, before) else HELD if enough else OPEN
    return Finding(f"{NAMES[name]}, {what}", f"rises by at most {shown(name, allowed(name, before))}",
                   f"{shown(name, before)} → {shown(name, after)}", state)


def thirds(values):
    """The medians of the first and the last third."""
    part = max(1, len(values) // 3)
    return statistics.median(values[:part]), statistics.median(values[-part:])


def levels(samples, name):
    """The settled level of each life that got old enough: the median at equal age."""
    found = {}
    for sample in samples:
        if sample.life > FIRST_LIVES and EQUAL_AGE[0] <= sample.age <= EQUAL_AGE[1]:
            found.setdefault(sample.life, []).append(getattr(sample, name))
    return [statistics.median(values) for _, values in sorted(found.items()) if len(values) >= 3]


def across_lives(samples):
    for name in RISE:
        found = levels(samples, name)
        what = f"lives at the age of {EQUAL_AGE[0]} to {EQUAL_AGE[1]} s ({len(found)} of them)"
        if len(found) < 2:
            yield Finding(f"{NAMES[name]}, {what}", f"at least {LIVES} lives", f"{len(found)}", OPEN)
        else:
            yield rise(name, what, *thirds(found), len(found) >= LIVES)


def within_long_life(samples):
    ages = {sample.life: sample.age for sample in samples}
    life, age = max(ages.items(), key=lambda item: item[1])
    settled = [sample for sample in samples if sample.life == life and sample.age >= min(SETTLED, age / 3)]
    for name in RISE:
        what = f"life {life} of {age / 60:.0f} min, from {settled[0].age / 60:.0f} min on"
        yield rise(name, what, *thirds([getattr(sample, name) for sample in settled]), age >= LONG_LIFE)


def limited(what, most, found, text="{:.0f}"):
    return Finding(what, "never" if most == 0 else "at most " + text.format(most), text.format(found), HELD if found <= most else BROKEN)


def at_all_times(samples, recoveries):
    for name in NEVER:
        yield limited(name.replace("_", " "), 0, max(sample.figures[name] for sample in samples))
    yield limited("messages between cores that wait, median", MAILBOX, statistics.median(sample.figures["mailbox"] for sample in samples))
    yield limited("MiB on disk", DISK / MIB, max(sample.log_bytes + sample.engine_bytes for sample in samples) / MIB)
    if recoveries:
        yield limited(f"serving again after a start, longest of {len(recoveries)}", RECOVERY, max(recoveries), "{:.2f} s")


def when_all_have_gone(drained):
    for name, most in DRAINED.items():
        what = f"{name.replace('_', ' ')} when all have gone"
        yield limited(what, most, drained[name]) if drained is not None else Finding(what, f"at most {most}", "not seen", OPEN)


def judge(samples, recoveries, drained):
    """All findings; `drained` are the figures after the load has gone, None when they were not taken."""
    if not samples:
        return [Finding("samples", "at least one", "none", OPEN)]
    return [*across_lives(samples), *within_long_life(samples), *at_all_times(samples, recoveries), *when_all_have_gone(drained)]


def status(findings, broken=None):
    """What the run ends with: 0 all held, 1 something is broken, 3 nothing is broken and not everything could be judged."""
    states = {finding.state for finding in findings}
    return 1 if broken or BROKEN in states else 3 if OPEN in states else 0
