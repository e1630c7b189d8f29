#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the compiler and clang-tidy say of the code: `lint.py headers` and `lint.py tidy [FILE…]`.

  headers   Every header under src/ and sim/ compiles alone: whoever includes it needs to know nothing else.
  tidy      clang-tidy over the batches of files that the preset `lint` compiles, which are whole rooms, so that what they all include is
            read once a room. With files: over these alone.

What was clean is remembered in build/lint/clean, with a checksum of every file of this repository that it depends on: only what changed
since then is looked at again. The last line is the verdict.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/lint"
CLEAN = BUILD / "clean"
CLANG, TIDY = "clang++-19", "clang-tidy-19"
# The batches themselves include .cpp files, which is what they are for.
TIDY_ARGUMENTS = ["--quiet", "--checks=-bugprone-suspicious-include"]
FINDING = re.compile(r"^([^:\s]+:\d+:\d+: (?:fatal error|warning|error): .*)$", re.M)


@functools.cache
def checksum(path):
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


@functools.cache
def tools():
    """What every result depends on: the programs, their configuration, and what the generated headers are made of."""
    versions = [subprocess.run([program, "--version"], capture_output=True, text=True).stdout for program in (CLANG, TIDY)]
    protos = subprocess.run(["git", "ls-files", "--", "*.proto"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    parts = [*versions, checksum(ROOT / ".clang-tidy"), *(checksum(ROOT / proto) for proto in protos)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Check:
    """One compilation that must be clean."""

    def __init__(self, kind, name, command, depends_command, folder, text=None):
        self.name, self.command, self.depends_command, self.folder, self.text = name, command, depends_command, folder, text
        self.shortcut = []   # arguments that only save time
        self.record = CLEAN / f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:20]}.json"

    def known(self):
        try:
            return json.loads(self.record.read_text())
        except (OSError, ValueError):
            return {}

    def is_clean(self):
        known = self.known()
        return known.get("command") == self.command and known.get("tools") == tools() and all(
            checksum(path) == wanted for path, wanted in known["files"].items())

    def depends(self):
        """The files of this repository that it is made of."""
        rule = subprocess.run(self.depends_command, cwd=self.folder, input=self.text, capture_output=True, text=True).stdout
        words = rule.replace("\\\n", " ").split(":", 1)[-1].split()
        paths = (os.path.normpath(os.path.join(self.folder, word)) for word in words if word != "-")
        return sorted(path for path in paths if path.startswith(f"{ROOT}/"))

    def run(self):
        """What is wrong, as text; empty: nothing."""
        files = {path: checksum(path) for path in self.depends()}
        command = [self.command[0], *self.shortcut, *self.command[1:]]
        done = subprocess.run(command, cwd=self.folder, input=self.text, capture_output=True, text=True)
        if done.returncode != 0:
            self.record.unlink(missing_ok=True)
            return done.stdout + (done.stderr if not FINDING.search(done.stdout) else "") or f"{self.command[0]} failed\n"
        self.record.write_text(json.dumps({"command": self.command, "tools": tools(), "files": files}))
        return ""


def run_all(what, checks):
    """Runs those that are not known to be clean; the exit status."""
    CLEAN.mkdir(parents=True, exist_ok=True)
    due = [check for check in checks if not check.is_clean()]
    began, told, seen, findings = time.monotonic(), 0.0, set(), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        running = {workers.submit(check.run): check for check in due}
        for number, each in enumerate(concurrent.futures.as_completed(running), 1):
            problems = each.result()
            new = [line for line in FINDING.findall(problems) if line not in seen]
            seen.update(new)
            findings += len(new)
            if problems and (new or not FINDING.search(problems)):
                print(problems.rstrip().replace(f"{ROOT}/", ""), flush=True)
            if time.monotonic() - told > 5 or number == len(due):
                told = time.monotonic()
                print(f"   {what}: {number} of {len(due)}, {told - began:.0f} s", flush=True)
    bad = sum(not check.record.exists() for check in checks)
    verdict = "clean" if bad == 0 else f"{findings} findings in {bad}"
    print(f"{what}: {verdict}; {len(due)} of {len(checks)} looked at, the others have not changed since they were clean")
    return 1 if bad else 0


# --- clang-tidy over batches


def tidy_check(entry, source):
    """The compilation of that entry, of this source in its stead."""
    words = [source if word == entry["file"] else word for word in shlex.split(entry["command"])]
    depends = [word for word in words if word != "-c"]
    depends[depends.index("-o"):depends.index("-o") + 2] = ["-MM"]
    command = [TIDY, *TIDY_ARGUMENTS, source, "--", *[word for word in words[1:] if word not in ("-c", source)]]
    return Check("tidy", f"{entry['file']} {source}", command, depends, entry["directory"])


def batches():
    """[(entry of the compilation database, the files of ours that it compiles)]"""
    found = []
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = entry["file"]
        members = re.findall(r'#include "([^"]+)"', pathlib.Path(source).read_text()) if "/Unity/" in source else [source]
        members = [os.path.relpath(each, ROOT) for each in members]
        if not all(each.startswith("build/") for each in members):
            found.append((entry, members))
    return sorted(found, key=lambda each: -len(each[1]))   # what takes longest first


def tidy(files):
    if not files:
        return run_all("clang-tidy", [tidy_check(entry, entry["file"]) for entry, _ in batches()])
    checks, units = [], batches()
    for wanted in (os.path.relpath(os.path.abspath(file), ROOT) for file in files):
        entry = next((entry for entry, members in units if wanted in members), None)
        if entry is None:
            sys.exit(f"lint: {wanted} is compiled nowhere: name .cpp files; headers are looked at with those that include them")
        checks.append(tidy_check(entry, str(ROOT / wanted)))
    return run_all("clang-tidy", checks)


# --- headers alone


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.M)
FLAGS = ["-std=c++23", "-Wall", "-Wextra", "-Werror", "-I", "src", "-I", ".", "-isystem", "build/lint/proto", "-isystem", "build/lint/src/rpc",
         "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_DISABLE_BOOST_COROUTINE", "-DBOOST_ASIO_SEPARATE_COMPILATION", "-x"]
COSTLY = (("<boost/asio/", 25), (".pb.h", 12), ("<rocksdb/", 6), ("<boost/", 8), ("<gtest/", 12), ("<fmt/", 5), ("<CLI/", 8))


def included(path, seen):
    """What is included from outside of src/, by the file and by what it includes."""
    outside = set()
    for name in INCLUDE.findall((ROOT / path).read_text()):
        ours = next((each for each in (f"src/{name[1:-1]}", name[1:-1]) if (ROOT / each).is_file()), None)
        if ours is None:
            outside.add(name)
        elif ours not in seen:
            seen.add(ours)
            outside |= included(ours, seen)
    return frozenset(outside)


@functools.cache
def cost(names):
    return sum(next((weight for part, weight in COSTLY if part in name), 1) for name in names)


def choose_prefixes(needs, count=12):
    """Sets of outside headers that are worth compiling once: those with which most is saved. A header may be given one of which it
    includes everything itself; that hides nothing that it lacks."""
    chosen, spared = [], dict.fromkeys(needs, 0)
    users = {candidate: [path for path, need in needs.items() if candidate <= need] for candidate in set(needs.values())}

    def saved(candidate):
        return sum(max(cost(candidate) - spared[path], 0) for path in users[candidate]) - 2 * cost(candidate)

    while users and len(chosen) < count:
        best = max(users, key=lambda each: (saved(each), sorted(each)))
        if saved(best) <= 0:
            break
        chosen.append(best)
        for path in users.pop(best):
            spared[path] = max(spared[path], cost(best))
    return chosen


def compile_prefix(number, names):
    header, compiled = BUILD / f"prefix/{number}.hpp", BUILD / f"prefix/{number}.pch"
    header.parent.mkdir(exist_ok=True)
    header.write_text("".join(f"#include {name}\n" for name in sorted(names)))
    subprocess.run([CLANG, *FLAGS, "c++-header", header, "-o", compiled], cwd=ROOT, check=True)
    return compiled


def headers():
    paths = sorted(path.relative_to(ROOT).as_posix() for top in ("src", "sim") for path in (ROOT / top).rglob("*.hpp"))
    needs = {path: included(path, {path}) for path in paths}
    plain = {path: Check("header", path, [CLANG, *FLAGS, "c++", "-fsyntax-only", "-"], [CLANG, *FLAGS, "c++", "-MM", "-"], ROOT,
                         f'#include "{path.removeprefix("src/")}"\n') for path in paths}
    due = {path: needs[path] for path in paths if not plain[path].is_clean()}
    prefixes = {names: compile_prefix(number, names) for number, names in enumerate(choose_prefixes(due))}
    for path, need in due.items():
        if best := max((names for names in prefixes if names <= need), key=cost, default=None):
            plain[path].shortcut = ["-include-pch", str(prefixes[best])]
    return run_all("headers alone", list(plain.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["headers", "tidy"])
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    return headers() if arguments.what == "headers" else tidy(arguments.files)


if __name__ == "__main__":
    sys.exit(main())
