#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up what a run of `./dev test` left behind: junit files and the list of its stages.

The last line is `N passed, 0 failed`, with `, N skipped` where some were. Exits 1 when anything failed. A stage that ended
badly without naming a failed test counts as one failure, so that a build that breaks can't pass for a run without tests.
"""

import pathlib
import sys
import xml.etree.ElementTree as xml


def read_cases(path):
    """[(name, outcome, reason)] of one junit file, whichever tool wrote it."""
    cases = []
    for case in xml.parse(path).getroot().iter("testcase"):
        name = ".".join(part for part in (case.get("classname"), case.get("name")) if part and part != case.get("name")) or ""
        name = f"{name}::{case.get('name')}" if name else case.get("name")
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None or case.get("status") == "fail":
            cases.append((name, "failed", (bad.get("message") or "") if bad is not None else ""))
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            cases.append((name, "skipped", (skipped.get("message") or "") if skipped is not None else ""))
        else:
            cases.append((name, "passed", ""))
    return cases


def read_stages(folder):
    stages = folder / "stages.tsv"
    lines = stages.read_text().splitlines() if stages.exists() else []
    return [(name, int(seconds), int(status)) for name, seconds, status in (line.split("\t") for line in lines)]


def main():
    folder = pathlib.Path(sys.argv[1])
    passed = failed = skipped = 0
    print(f"\n{'stage':<16}{'seconds':>8}{'passed':>9}{'failed':>8}{'skipped':>9}")
    complaints, skips = [], []
    for stage, seconds, status in read_stages(folder):
        results = folder / f"{stage}.xml"
        try:
            cases = read_cases(results) if results.exists() else []
        except xml.ParseError:
            cases = []
        bad = [case for case in cases if case[1] == "failed"]
        if status != 0 and not bad:
            bad = [(f"the stage itself (status {status}); see {folder / stage}.log", "failed", "")]
        counts = (sum(c[1] == "passed" for c in cases), len(bad), sum(c[1] == "skipped" for c in cases))
        shown = [str(count) if cases or count else "" for count in counts]
        print(f"{stage:<16}{seconds:>8}{shown[0]:>9}{shown[1]:>8}{shown[2]:>9}")
        complaints += [f"FAILED  {stage}: {name}" for name, _, _ in bad]
        skips += [f"skipped {stage}: {name}{': ' + reason if reason else ''}" for name, kind, reason in cases if kind == "skipped"]
        passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]
    print()
    for line in skips + complaints:
        print(line)
    if passed == 0 and failed == 0:
        print("FAILED  no test ran")
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
