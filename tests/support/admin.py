# SPDX-License-Identifier: Apache-2.0
"""Operators' commands to a cluster under test."""

from .cli import run


class Admin:
    """`skerry admin -a COORDINATOR …`"""

    def __init__(self, cluster):
        self.cluster = cluster

    @property
    def address(self):
        """Of a coordinator that runs: it leads to the one in office."""
        return next(each for each in self.cluster.coordinators if each.running() and not each.paused).address

    def __call__(self, *words):
        return run("admin", "-a", self.address, "--request-timeout=10s", *words)

    def ok(self, *words):
        done = self(*words)
        assert done.status == 0, done
        return done

    def json(self, *words):
        return self.ok(*words, "-o", "json").json

    def node(self, name):
        return next(each for each in self.json("node", "list") if each["name"] == name)

    def shard(self, number=0):
        return next(each for each in self.json("shard", "list") if each["shard"] == number)

    def members(self, number=0):
        return sorted(each["node"] for each in self.shard(number)["replicas"] if each["kind"] == "voter")

    def whole(self, number=0):
        """The shard, when it is led and all its replicas follow closely; None when not."""
        done = self("shard", "list", "-o", "json")
        if done.status != 0:
            return None
        shard = next((each for each in done.json if each["shard"] == number), None)
        if not shard or not shard["serving"] or shard["why_not_yet"]:
            return None
        followers = [each for each in shard["replicas"] if each["role"] != "leader"]
        return shard if all(each["streaming"] and each["lag"] < 100 for each in followers) else None
