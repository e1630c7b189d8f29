# SPDX-License-Identifier: Apache-2.0
"""The published Java client (oxia-client 0.9.4), unchanged, against one and several shards: every operation that it has.

Each test runs one scenario of src/skerry in a process of its own. Where both must do something in turn the scenario prints a
line that begins with '@' and waits for an answer.
"""

import subprocess
import threading

import pytest

from support.protocol import ROOT

JAVA = ROOT / "build/java"
shards = pytest.mark.parametrize("shards", [1, 4])


def java(*words):
    if not (JAVA / "classes").exists():
        raise pytest.UsageError("the scenarios are not compiled: ./dev test java does it")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", f"{JAVA / 'classes'}:{JAVA / 'lib'}/*", "skerry.Main", *map(str, words)]


class Scenario:
    """A running scenario."""

    def __init__(self, name, address, shards, *arguments):
        self.process = subprocess.Popen(java(name, address, shards, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, bufsize=1)
        self.seen, self.arrived, self.words = [], threading.Condition(), []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.arrived:
                self.seen.append(line)
                if line.startswith("@"):
                    self.words.append(line[1:].strip())
                self.arrived.notify_all()
        with self.arrived:
            self.words.append(None)   # the end
            self.arrived.notify_all()

    def meet(self, word, seconds=60):
        """Waits until the scenario says it. It goes on when it is told to."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.words, seconds), f"no word of {word}: {self.output()}"
            assert self.words.pop(0) == word, self.output()
        return self

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def output(self):
        return "".join(self.seen)

    def succeeds(self, seconds=110):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the scenario did not end:\n{self.output()}") from None
        self.reader.join(10)
        assert status == 0 and self.seen[-1] == "done\n", self.output()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def start():
    running = []

    def run(name, address, shards, *arguments):
        running.append(Scenario(name, address, shards, *arguments))
        return running[-1]

    yield run
    for scenario in running:
        scenario.kill()


ALONE = ["put_and_get", "conditions", "comparisons", "lists_and_scans", "partition_keys", "sequence_keys", "secondary_indexes", "thousands_in_flight",
         "asynchronous_scans", "large_values", "shared_resources", "notifications", "every_subscriber_sees_all", "sequence_updates",
         "ephemeral_records_end_with_their_client", "heartbeats_keep_a_session"]
RESTARTS = {"notifications_go_on_after_a_kill": 1, "sessions_outlive_a_kill_of_the_server": 1, "a_client_goes_on_after_a_kill": 3,
            "what_was_acknowledged_under_load_is_there_after_kills": 3}
TOGETHER = {"hold_an_ephemeral_record", "watch_it_end", "count_under_a_lock", "take_the_lock_and_keep_it", "wait_for_the_lock"}


def test_every_scenario_is_run():
    names = subprocess.run(java(), capture_output=True, text=True, check=True).stdout.split()
    assert sorted(names) == sorted([*ALONE, *RESTARTS, *TOGETHER])


@shards
@pytest.mark.parametrize("name", ALONE)
def test_alone(make_server, start, shards, name):
    start(name, make_server(shards=shards).address, shards).succeeds()


@shards
@pytest.mark.parametrize("name", RESTARTS)
def test_with_a_server_that_is_killed_and_comes_back(make_server, start, shards, name):
    server = make_server(shards=shards)
    scenario = start(name, server.address, shards)
    for _ in range(RESTARTS[name]):
        scenario.meet("kill and restart")
        server.kill()
        server.start()
        scenario.go_on()
    scenario.succeeds()


@shards
def test_an_ephemeral_record_ends_after_its_client_was_killed(make_server, start, shards):
    address = make_server(shards=shards).address
    holder = start("hold_an_ephemeral_record", address, shards).meet("holding")
    watcher = start("watch_it_end", address, shards).meet("seen")
    holder.kill()
    watcher.go_on().succeeds()


@shards
def test_a_lock_is_held_by_one_at_a_time_whoever_contends(make_server, start, shards):
    """Three processes of four clients each count together; what one lost of another would be missing at the end."""
    server = make_server(shards=shards)
    workers = [start("count_under_a_lock", server.address, shards, 4, 50) for _ in range(3)]
    for worker in workers:
        worker.meet("begin")
    for worker in workers:
        worker.go_on()
    for worker in workers:
        worker.succeeds()
    with server.connect() as store:
        counts = [record.value for shard in range(shards) for record in store.scan("/count", "/counu", shard=shard)]
        assert counts == [b"600"]


@shards
def test_a_lock_passes_on_when_its_holder_was_killed(make_server, start, shards):
    address = make_server(shards=shards).address
    holder = start("take_the_lock_and_keep_it", address, shards).meet("locked")
    waiter = start("wait_for_the_lock", address, shards).meet("waiting")
    waiter.go_on()
    holder.kill()
    waiter.succeeds()
