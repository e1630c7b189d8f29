# SPDX-License-Identifier: Apache-2.0
"""Machines as network namespaces on a bridge, whose links can be cut in either direction. Everything lies in namespaces made here: the
one of the clients has the bridge, each machine's has one address. Needs root, ip and nft."""

import os
import shutil
import subprocess


def usable():
    """Whether this machine lets us make what is needed here."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        return False
    try:
        with Network(["probe"]) as network:
            network.isolate("probe")
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _run(*words):
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


class Network:
    """`with Network(["one", "two"]) as network`. Machines have the addresses 10.99.0.1, .2, …; who runs in `hub` reaches all."""

    def __init__(self, names):
        self.stem = f"skerry{os.getpid()}"
        self.hub = f"{self.stem}-hub"
        self.addresses = {name: f"10.99.0.{number}" for number, name in enumerate(names, 1)}

    def namespace(self, name):
        return f"{self.stem}-{name}"

    def inside(self, name):
        """The words that make a command run on that machine."""
        return ["ip", "netns", "exec", self.hub if name == "hub" else self.namespace(name)]

    def __enter__(self):
        _run("ip", "netns", "add", self.hub)
        try:
            in_hub = self.inside("hub")
            _run(*in_hub, "ip", "link", "add", "br0", "type", "bridge")
            _run(*in_hub, "ip", "addr", "add", "10.99.0.254/24", "dev", "br0")
            _run(*in_hub, "ip", "link", "set", "br0", "up")
            _run(*in_hub, "ip", "link", "set", "lo", "up")
            _run(*in_hub, "nft", "add", "table", "bridge", "cuts")
            for chain in ("forward", "input", "output"):
                _run(*in_hub, "nft", "add", "chain", "bridge", "cuts", chain, f"{{ type filter hook {chain} priority 0; }}")
            for number, (name, address) in enumerate(self.addresses.items()):
                self._add(number, name, address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _add(self, number, name, address):
        space, in_hub = self.namespace(name), self.inside("hub")
        _run("ip", "netns", "add", space)
        _run(*in_hub, "ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
        _run(*in_hub, "ip", "link", "set", f"port{number}", "master", "br0", "up")
        _run(*self.inside(name), "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        _run(*self.inside(name), "ip", "link", "set", "eth0", "up")
        _run(*self.inside(name), "ip", "link", "set", "lo", "up")

    def __exit__(self, *_):
        for name in [*(self.namespace(each) for each in self.addresses), self.hub]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def cut(self, sender, receiver):
        """What one machine sends to the other is dropped; the other way goes on."""
        self._drop(f"ip saddr {self.addresses[sender]} ip daddr {self.addresses[receiver]}", "forward")

    def isolate(self, name):
        """Nobody reaches it, clients included, and it reaches nobody."""
        for chain in ("forward", "input", "output"):
            self._drop(f"ip saddr {self.addresses[name]}", chain)
            self._drop(f"ip daddr {self.addresses[name]}", chain)

    def _drop(self, match, chain):
        _run(*self.inside("hub"), "nft", "add", "rule", "bridge", "cuts", chain, *match.split(), "drop")

    def mend(self):
        for chain in ("forward", "input", "output"):
            _run(*self.inside("hub"), "nft", "flush", "chain", "bridge", "cuts", chain)
