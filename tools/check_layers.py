#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the house in order: which room may include which, and what nobody may do outside the one place made for it.

Rooms stand on floors (FLOORS). Code includes from its own room and from lower floors; rooms on one floor never include each
other. What must flow up is passed in as an interface. src/main.cpp, sim/, bench/, tests/, fuzz/ and examples/ put things
together and may see everything. The bans are in BANS, each with its reason and the files it does not hold for.

Run it alone, or with --self-test, which plants each kind of violation in a copy of nothing and must find it.
"""

import argparse
import pathlib
import re
import sys
import tempfile

FLOORS = [
    {"base"},
    {"runtime"},
    {"net", "disk", "auth"},
    {"rpc", "store"},
    {"replica", "client"},
    {"serve", "control", "txn"},
    {"mesh", "live", "fleet"},
    {"node"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
COMPOSITION_ROOTS = ("sim", "bench", "tests", "fuzz", "examples")
SPDX = "// SPDX-License-Identifier: Apache-2.0"

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')


class Ban:
    def __init__(self, pattern, reason, allowed):
        self.pattern, self.reason, self.allowed = re.compile(pattern), reason, re.compile(allowed)


# Tests and benches of a room may measure and sleep as they like; they are left out of the bans that say so.
MEASURES = r"|.*_bench\.cpp|bench/.*|tests/.*"
# They look at the process from outside, on the machine's own time and never inside a simulation.
WATCHES = r"|src/runtime/(?:stall_detector|process_metrics)\.cpp"
BANS = [
    Ban(r"std::random_device|\bgetrandom\s*\(|\bgetentropy\s*\(|\b(?:std::)?s?rand\s*\(\s*\)|std::mt19937",
        "chance comes from runtime/random.hpp, so that a seed replays it", r"src/runtime/clock\.cpp" + MEASURES),
    Ban(r"(?:system_clock|steady_clock|high_resolution_clock)::now\b|\bclock_gettime\s*\(|\bgettimeofday\s*\(",
        "time comes from runtime/clock.hpp, so that it can be stopped", r"src/runtime/clock\.cpp|.*_test\.cpp" + MEASURES + WATCHES),
    Ban(r"\bdetached\b", "a task belongs to a TaskScope; only the runtime spawns",
        r"src/runtime/.*|(?:bench|tests|examples)/.*"),
    Ban(r"std::this_thread::sleep_|\busleep\s*\(|\bnanosleep\s*\(", "nothing blocks a core",
        r".*_test\.cpp|(?:src/.*/testing|examples)/.*" + MEASURES + WATCHES),
    Ban(r"^\s*#\s*include\s*<boost/(?:asio|beast)[./]", "Asio stays behind runtime/task.hpp",
        r"src/(?:runtime|net|disk)/.*" + MEASURES),
    Ban(r"^\s*#\s*include\s*<(?:format|print)>", "libstdc++ 12 has neither; use fmt", r"(?!)"),
]
COLUMNS = 130
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")


def strip_comments(text):
    """The code with comments and string contents blanked, line numbers kept; includes keep their quotes."""
    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        return '"' + " " * (len(token) - 2) + '"'
    lines = []
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    includes = {number for number, line in enumerate(text.split("\n")) if INCLUDE.match(line)}
    for number, (raw, code) in enumerate(zip(text.split("\n"), pattern.sub(blank, text).split("\n"))):
        lines.append(raw if number in includes else code)
    return lines


def room_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_include(path, number, included, problems):
    room, other = room_of(path), included.split("/")[0]
    if room is None or "/" not in included:
        return
    if other in COMPOSITION_ROOTS:
        problems.append(f"{path}:{number}: a room may not include {included}: {other}/ is a composition root")
    if other not in FLOOR_OF or other == room:
        return
    if FLOOR_OF[other] == FLOOR_OF[room]:
        problems.append(f"{path}:{number}: {room} and {other} stand on the same floor and may not include each other; "
                        f"join them in a room above")
    elif FLOOR_OF[other] > FLOOR_OF[room]:
        problems.append(f"{path}:{number}: {room} (floor {FLOOR_OF[room]}) includes {included} from above "
                        f"(floor {FLOOR_OF[other]}); pass what it needs in as an interface")


def check_file(root, path, problems):
    text = (root / path).read_text(errors="replace")
    if not text.startswith(SPDX + "\n"):
        problems.append(f"{path}:1: the first line must be: {SPDX}")
    room = room_of(path)
    if room is not None and room not in FLOOR_OF:
        problems.append(f"{path}:1: {room} has no floor; give it one in tools/check_layers.py")
    for number, line in enumerate(text.split("\n"), 1):
        if match := UNFINISHED.search(line):
            problems.append(f"{path}:{number}: {match.group(0)}: finish it, or name the limit in docs/limits.md")
        if len(line) > COLUMNS and line.lstrip().startswith("//"):   # clang-format leaves them alone
            problems.append(f"{path}:{number}: a comment wider than {COLUMNS} columns")
    for number, line in enumerate(strip_comments(text), 1):
        if match := INCLUDE.match(line):
            check_include(path, number, match.group(1), problems)
        for ban in BANS:
            if ban.pattern.search(line) and not ban.allowed.fullmatch(path):
                problems.append(f"{path}:{number}: `{ban.pattern.search(line).group(0).strip()}` is banned here: {ban.reason}")


def check_tree(root):
    problems = []
    for top in ("src", *COMPOSITION_ROOTS):
        for path in sorted((root / top).rglob("*")) if (root / top).is_dir() else []:
            if path.suffix in (".cpp", ".hpp", ".h") and path.is_file():
                check_file(root, path.relative_to(root).as_posix(), problems)
    return problems


PLANTED = [   # (file, its lines, what must be found; nothing: must be clean)
    ("src/base/a.hpp", '#include "runtime/core.hpp"', "from above"),
    ("src/net/a.cpp", '#include "disk/log.hpp"', "same floor"),
    ("src/store/a.cpp", '#include "sim/world.hpp"', "composition root"),
    ("src/attic/a.cpp", "int x;", "has no floor"),
    ("src/store/b.cpp", "auto seed = std::random_device{}();", "chance comes from"),
    ("src/disk/b.cpp", "auto t = std::chrono::steady_clock::now();", "time comes from"),
    ("src/rpc/b.cpp", "co_spawn(core, work(), asio::detached);", "belongs to a TaskScope"),
    ("src/store/c.cpp", "#include <boost/asio/post.hpp>", "stays behind"),
    ("src/node/c.cpp", "std::this_thread::sleep_for(1s);", "nothing blocks"),
    ("src/node/d.cpp", "#include <format>", "use fmt"),
    ("src/node/f.cpp", "int x;  // TODO: y", "finish it"),
    ("src/node/g.cpp", "// " + "x" * 128, "wider than"),
    ("src/node/e.cpp", '#include "serve/a.hpp"\n#include "base/a.hpp"', None),
    ("src/runtime/clock.cpp", "return std::chrono::steady_clock::now();", None),
    ("src/base/b.cpp", "// std::random_device is banned here; TaskScope, not detached", None),
    ("src/base/c.cpp", 'const char* text = "steady_clock::now";', None),
    ("sim/a.cpp", '#include "node/a.hpp"\n#include "disk/a.hpp"', None),
]


def self_test():
    failures = 0
    for path, line, wanted in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text(f"{SPDX}\n{line}\n")
            found = check_tree(pathlib.Path(folder))
        if (wanted is None and found) or (wanted is not None and not (len(found) == 1 and wanted in found[0])):
            failures += 1
            print(f"self-test: {path}: {line!r}: wanted {wanted!r}, found {found}")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "src/base/a.cpp"
        file.parent.mkdir(parents=True)
        file.write_text("int x;\n")
        if not any("first line must be" in problem for problem in check_tree(pathlib.Path(folder))):
            failures += 1
            print("self-test: a file without its SPDX line was not found")
    print(f"self-test: {len(PLANTED) + 1 - failures} of {len(PLANTED) + 1} as planted")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parent.parent, type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    problems = check_tree(arguments.root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
