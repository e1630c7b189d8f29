# SPDX-License-Identifier: Apache-2.0
"""What a run of endurance leaves: a page of Markdown with its verdict, and a plot."""

import dataclasses
import json
import pathlib
import statistics

from . import verdict

MIB = 2**20
INTERVAL = 5 * 60   # seconds of a row in the table
COLUMNS = ("Minutes", "Life", "Memory, MiB (median, highest)", "Descriptors", "Threads", "Server, of a core", "Load, of a core", "Log, MiB",
           "Engine, MiB", "Sessions", "Followers", "Connections", "Mailbox", "Loop stalls", "Failed streams")
CURVES = (("memory, MiB", MIB, ("rss",)), ("count", 1, ("descriptors", "threads", "sessions", "connections", "followers")),
          ("on disk, MiB", MIB, ("log_bytes", "engine_bytes")), ("messages that wait, stalls of loops", 1, ("mailbox", "loop_stalls")))


@dataclasses.dataclass
class Outcome:
    seconds: float
    facts: list        # (name, text)
    samples: list
    ends: list         # how each life ended
    recoveries: list   # seconds from launch to serving, of each start
    load: list         # (user, steps, interruptions)
    findings: list
    broken: str
    status: int

    @classmethod
    def of(cls, endurance, arguments, broken, levels):
        findings = verdict.judge(endurance.samples, endurance.restarts, endurance.drained)
        seconds = endurance.samples[-1].at if endurance.samples else 0
        counted = [(user.name, user.done, user.interrupted) for user in endurance.users]
        facts = [("program", f"built from {arguments.commit}"), ("asked for", f"{arguments.minutes:.0f} min, seed {arguments.seed}"),
                 ("store", f"{endurance.shards} shards, {' '.join(endurance.server.arguments)}"),
                 ("checked writers", endurance.summary()),
                 ("notifications", f"checked {endurance.live_checks} times in the running server and after each restart"),
                 ("bulk load", bulk(endurance.users)),
                 ("records that went by themselves", f"{total(endurance.users, 'seen_to_go')} looked for and gone"),
                 ("processor time", processor(endurance.samples)),
                 ("lines in the server's log", ", ".join(f"{count} of level {level}" for level, count in levels.items()))]
        return cls(seconds, facts, endurance.samples, endurance.ends, endurance.restarts, counted, findings, broken or "",
                   verdict.status(findings, broken))

    def save(self, path):
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    def word(self):
        return {0: "every bound held", 1: "BROKEN", 3: "nothing broken, but too short to judge every bound"}[self.status]

    def text(self):
        lines = [f"# Endurance: {self.seconds / 60:.0f} minutes, {self.word()}", "", *self._intro(), "", "| | |", "|---|---|",
                 *(f"| {name} | {text} |" for name, text in self.facts), ""]
        if self.broken:
            lines += ["**Broken:** " + self.broken, ""]
        lines += ["## Verdict", "", "| What | Bound | Found | |", "|---|---|---|---|",
                  *(f"| {f.what} | {f.bound} | {f.found} | {f.state} |" for f in self.findings), "", *legend(), "",
                  "## Every five minutes", "", *self._intervals(), "", "## Lives of the process", "", *self._lives(), "", "## Who did what", "",
                  "| User | Steps | Connections that a kill or stop ended or refused |", "|---|---|---|",
                  *(f"| {name} | {done} | {interrupted} |" for name, done, interrupted in self.load)]
        return "\n".join(lines) + "\n"

    def _intro(self):
        return ["What `./dev endurance` saw: everything that users do, at once, on one store that is killed again and again. After every",
                "restart every record, index entry, session and notification of the checked writers must be one that their answers allow."]

    def _intervals(self):
        yield "| " + " | ".join(COLUMNS) + " |"
        yield "|" + "---|" * len(COLUMNS)
        rows = {}
        for sample in self.samples:
            rows.setdefault(int(sample.at // INTERVAL), []).append(sample)
        for row, samples in sorted(rows.items()):
            yield interval(row, samples)

    def _lives(self):
        yield "| Life | Minutes | Ended by | Started in | Memory at equal age, MiB | Descriptors then | Memory at its end, MiB |"
        yield "|---|---|---|---|---|---|---|"
        for life, (end, started) in enumerate(zip(self.ends, self.recoveries), 1):
            mine = [sample for sample in self.samples if sample.life == life]
            equal = [sample for sample in mine if verdict.EQUAL_AGE[0] <= sample.age <= verdict.EQUAL_AGE[1]]
            if mine:
                rss = f"{statistics.median(s.rss for s in equal) / MIB:.0f}" if equal else ""
                descriptors = f"{statistics.median(s.descriptors for s in equal):.0f}" if equal else ""
                yield f"| {life} | {mine[-1].age / 60:.1f} | {end} | {started:.2f} s | {rss} | {descriptors} | {mine[-1].rss / MIB:.0f} |"

    def write(self, path):
        path = pathlib.Path(path)
        picture = path.with_suffix(".png")
        drawn = plot(self.samples, picture)
        text = self.text()
        if drawn:
            heading = "## Every five minutes\n"
            text = text.replace(heading, f"{heading}\n![Memory, counts and disk over the run]({picture.name})\n")
        path.write_text(text)


def legend():
    return ["Levels are medians: of the first third and the last third of the lives, or of the samples of the long life after it has",
            f"settled. *Open* is what the run was too short to judge: {verdict.LIVES} lives of full age, and one of "
            f"{verdict.LONG_LIFE // 60} minutes, are needed."]


def total(users, name):
    return sum(getattr(user, name, 0) for user in users)


def bulk(users):
    puts, gets, walked = (total(users, name) for name in ("puts", "gets", "walked"))
    written = sum(user.records.written for user in users if hasattr(user, "puts"))
    return f"{puts} puts acknowledged into {written} records, {gets} checked gets, {walked} records walked"


def by_life(samples):
    found = {}
    for sample in samples:
        found.setdefault(sample.life, []).append(sample)
    return found


def server_seconds(samples):
    """Processor time of the server, across its lives."""
    return sum(life[-1].cpu for life in by_life(samples).values())


def processor(samples):
    if not samples:
        return "not seen"
    seconds = samples[-1].at
    return f"server {server_seconds(samples) / seconds:.1%}, load {samples[-1].load_cpu / seconds:.1%} of one core"


def growth(samples, name):
    """Of a counter that starts anew with each life, as far as samples saw it."""
    return sum(value(life[-1], name) - value(life[0], name) for life in by_life(samples).values())


def rate_of(samples, name):
    seconds = growth(samples, "at")
    return growth(samples, name) / seconds if seconds else 0.0


def value(sample, name):
    return sample.figures[name] if name in sample.figures else getattr(sample, name)


def interval(row, samples):
    def median(name, unit=1):
        return f"{statistics.median(value(sample, name) for sample in samples) / unit:.0f}"
    first, last = samples[0], samples[-1]
    load = (last.load_cpu - first.load_cpu) / max(1e-9, last.at - first.at)
    cells = [f"{row * INTERVAL // 60}–{(row + 1) * INTERVAL // 60}", ", ".join(str(life) for life in by_life(samples)),
             f"{median('rss', MIB)}, {max(sample.rss for sample in samples) / MIB:.0f}", median("descriptors"), median("threads"),
             f"{rate_of(samples, 'cpu'):.0%}", f"{load:.0%}", median("log_bytes", MIB), median("engine_bytes", MIB),
             *(median(name) for name in ("sessions", "followers", "connections", "mailbox")),
             *(f"{growth(samples, name):.0f}" for name in ("loop_stalls", "streams_failed"))]
    return "| " + " | ".join(cells) + " |"


def plot(samples, path):
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (./dev endurance installs it)")
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot
    minutes = [sample.at / 60 for sample in samples]
    starts = [life[0].at / 60 for life in by_life(samples).values()][1:]
    figure, axes = pyplot.subplots(4, 1, figsize=(12, 12), sharex=True)
    for axis, (label, unit, names) in zip(axes, CURVES):
        for name in names:
            axis.plot(minutes, [value(sample, name) / unit for sample in samples], label=name.replace("_", " "), linewidth=1)
        for start in starts:
            axis.axvline(start, color="0.8", linewidth=0.8, zorder=0)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper left", ncol=5)
    axes[-1].set_xlabel("minutes; grey lines: the first sample after a kill or stop")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    return True
