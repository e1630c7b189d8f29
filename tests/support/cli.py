# SPDX-License-Identifier: Apache-2.0
"""Runs the command line as a person would."""

import json
import os
import subprocess

from .server import PROGRAM


class Outcome:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()

    def __repr__(self):
        return f"status {self.status}\nout: {self.out!r}\nerr: {self.err!r}"


def run(*words, stdin=None, text=True, timeout=30, environment=None):
    done = subprocess.run([PROGRAM, *map(str, words)], input=stdin if stdin is not None else ("" if text else b""), capture_output=True,
                          text=text, timeout=timeout, env={**os.environ, **(environment or {})})
    return Outcome(done)


class Client:
    """`skerry client -a ADDRESS`, one command per call."""

    def __init__(self, address):
        self.address = address

    def __call__(self, *words, **options):
        return run("client", "-a", self.address, *words, **options)

    def start(self, *words):
        """A command that goes on until it is ended; its output is a pipe of lines."""
        return subprocess.Popen([PROGRAM, "client", "-a", self.address, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, bufsize=1)
