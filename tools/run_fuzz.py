#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz targets of a build folder for some seconds each, from the corpus in fuzz/corpus/NAME.

What a target finds on its way stays in build/found/NAME and is where its next run starts; an input that breaks it is kept
beside, and its path is printed: it becomes a file in fuzz/corpus/NAME and a named test.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent


def find_targets(preset, only):
    found = {path.name.removesuffix("_fuzz"): path for path in (ROOT / "build" / preset).rglob("*_fuzz")
             if path.is_file() and os.access(path, os.X_OK)}
    if only:
        wanted = only.removesuffix("_fuzz")
        if wanted not in found:
            sys.exit(f"no fuzz target is named {wanted}; there are: {', '.join(sorted(found)) or 'none'}")
        found = {wanted: found[wanted]}
    return sorted(found.items())


def run_target(name, program, seconds):
    """(seconds taken, output, whether it held)"""
    work = ROOT / "build/found" / name
    work.mkdir(parents=True, exist_ok=True)
    corpus = ROOT / "fuzz/corpus" / name
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=1",
               f"-artifact_prefix={work}-", work]
    if corpus.is_dir():
        command.append(corpus)
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    return time.monotonic() - began, done.stdout, done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="fuzz", help="whose build folder has the targets")
    parser.add_argument("--only", help="one target, with or without _fuzz")
    parser.add_argument("--seconds", type=int, default=4, help="for each target")
    parser.add_argument("--junit", help="write the results here as well")
    arguments = parser.parse_args()

    targets = find_targets(arguments.preset, arguments.only)
    if not targets:
        sys.exit("there are no fuzz targets: ./dev fuzz makes and runs them")
    suite = xml.Element("testsuite", name="fuzz")
    broken = 0
    for name, program in targets:
        took, output, held = run_target(name, program, arguments.seconds)
        runs = next((line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{'ok    ' if held else 'BROKEN'} {name:<24} {runs:>9} inputs in {took:.1f} s", flush=True)
        case = xml.SubElement(suite, "testcase", classname="fuzz", name=name, time=f"{took:.1f}")
        if not held:
            broken += 1
            print(output[-6000:], flush=True)
            xml.SubElement(case, "failure", message=f"{name} broke").text = "".join(
                c if c.isprintable() or c in "\n\t" else "?" for c in output[-6000:])
    if arguments.junit:
        xml.ElementTree(suite).write(arguments.junit, encoding="unicode")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
