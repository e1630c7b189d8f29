# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the black-box tests. Everything runs through the real program: build/release/skerry, or $SKERRY."""

import pathlib
import shutil

import pytest

from support.server import PROGRAM, Server

KEPT = pathlib.Path(__file__).resolve().parents[1] / "build/test-logs"


def pytest_configure(config):
    if not PROGRAM.exists():
        raise pytest.UsageError(f"{PROGRAM} is not there: ./dev build makes it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def make_server(request, tmp_path):
    """make_server(shards=…, arguments=[…]): a started server of this test's own; ended, and its log shown, after the test."""
    servers = []

    def make(shards=None, arguments=(), name=None, start=True, **options):
        server = Server(tmp_path / (name or f"server-{len(servers)}"), shards, arguments, **options)
        servers.append(server)
        return server.start() if start else server

    yield make
    for server in servers:
        if server.process is not None:
            server.kill()
        if getattr(request.node, "failed", True) and server.log.exists():
            kept = KEPT / f"{request.node.name.replace('/', '_')}-{server.folder.name}.log"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(server.log, kept)
            print(f"\n--- {kept}, its end:\n{server.output()[-4000:]}")
        shutil.rmtree(server.data, ignore_errors=True)


@pytest.fixture
def server(make_server):
    """A fresh server with one shard."""
    return make_server(shards=1)


@pytest.fixture
def store(server):
    with server.connect() as store:
        yield store
