# SPDX-License-Identifier: Apache-2.0
"""What `./dev package` has made, and a bare Debian 12 to try it on: debootstrap's smallest, with what the package depends on."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from support.protocol import ROOT
from support.server import eventually, free_port

FOLDER = ROOT / "build/package"
SYSTEMD = ["systemd", "systemd-sysv"]


def pytest_configure(config):
    if os.geteuid() != 0:
        raise pytest.UsageError("installing a package needs root: ./dev package --check asks for it")


def output(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=300, **options).stdout


@pytest.fixture(scope="session")
def package():
    found = sorted(FOLDER.glob("skerry_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise pytest.UsageError(f"there is no package in {FOLDER}: ./dev package makes it")
    return found[-1]


@pytest.fixture(scope="session")
def fields(package):
    """The fields of the control file, by name."""
    return {name: output("dpkg-deb", "--field", package, name).strip() for name in ("Version", "Architecture", "Depends", "Maintainer")}


class System:
    """A Debian in a folder. Its network is this machine's, its processes see only themselves."""

    def __init__(self, root):
        self.root, self.service = root, None
        self.port, self.metrics_port = free_port(), free_port()

    def path(self, name):
        return self.root / name.lstrip("/")

    def command(self, *words, user=None):
        as_user = ["setpriv", f"--reuid={user}", f"--regid={'nogroup' if user == 'nobody' else user}", "--init-groups"] if user else []
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root}/proc", "chroot", str(self.root), *clean, *as_user,
                *map(str, words)]

    def run(self, *words, user=None, check=True, timeout=120):
        done = subprocess.run(self.command(*words, user=user), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{words}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def dpkg(self, *words):
        return self.run("dpkg", "--force-confdef", *words).stdout

    def install(self, package, *others):
        """As a person would. What else it takes was fetched before."""
        shutil.copy(package, self.path("/tmp/skerry.deb"))
        return self.run("apt-get", "install", "--yes", "--no-install-recommends", "--reinstall", "-o", "Dpkg::Options::=--force-confdef",
                        "/tmp/skerry.deb", *others).stdout

    def set_ports(self):
        file = self.path("/etc/skerry/standalone.yaml")
        file.write_text(file.read_text().replace(":6648", f":{self.port}").replace(":8080", f":{self.metrics_port}"))

    def start(self, *words, user="skerry"):
        """Runs the service's command, or another, until stop() or kill(); returns when it serves."""
        self.kill()
        with open(self.root / "tmp/service.log", "ab") as log:
            self.service = subprocess.Popen(self.command(*words, user=user), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: self.service.poll() is not None or self.healthy(), "the service")
        assert self.service.poll() is None, (self.root / "tmp/service.log").read_text()

    def healthy(self):
        return self.run("skerry", "health", "--port", self.port, "--service", "oxia-readiness", check=False).returncode == 0

    def pid(self):
        return int(pathlib.Path(f"/proc/{self.service.pid}/task/{self.service.pid}/children").read_text())

    def kill(self):
        if self.service is not None and self.service.poll() is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.service.wait(20)
        self.service = None

    def client(self, *words):
        return self.run("skerry", "client", "-a", f"127.0.0.1:{self.port}", *words, user="nobody").stdout


@pytest.fixture(scope="session")
def pristine(package, fields):
    """Kept between runs while the package depends on the same. What the tests install was fetched and is not installed."""
    root = FOLDER / "bare"
    made_with = root.with_suffix(".depends")
    if not made_with.exists() or made_with.read_text() != fields["Depends"]:
        shutil.rmtree(root, ignore_errors=True)
        log = FOLDER / "debootstrap.log"
        with open(log, "w") as out:
            done = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], stdout=out, stderr=subprocess.STDOUT, timeout=900)
        assert done.returncode == 0, log.read_text()[-3000:]
        shutil.copy(package, root / "tmp/skerry.deb")
        system = System(root)
        system.run("apt-get", "update", timeout=300)
        system.run("apt-get", "install", "--yes", "--no-install-recommends", "--download-only", "/tmp/skerry.deb", *SYSTEMD, timeout=300)
        (root / "tmp/skerry.deb").unlink()
        made_with.write_text(fields["Depends"])
    return root


@pytest.fixture(scope="module")
def make_system(pristine, tmp_path_factory):
    systems = []

    def make():
        root = tmp_path_factory.mktemp("debian") / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, root], check=True, timeout=300)
        systems.append(System(root))
        return systems[-1]

    yield make
    for system in systems:
        system.kill()
        shutil.rmtree(system.root, ignore_errors=True)


@pytest.fixture(scope="module")
def system(make_system):
    return make_system()


class Booted:
    """A System whose systemd runs, in namespaces of its own but for the network."""

    def __init__(self, system):
        self.system = system
        self.nspawn = subprocess.Popen(["systemd-nspawn", "--quiet", f"--directory={system.root}", "--boot", "--register=no", "--keep-unit", "--console=pipe"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def enter(self, *words):
        leader = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()[-1]
        return output("nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--pid", *words)

    def state(self, name):
        return self.enter("systemctl", "show", "--value", "--property", name, "skerry").strip()

    def stop(self):
        self.nspawn.terminate()   # systemd shuts down
        try:
            self.nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()


@pytest.fixture(scope="module")
def booted(make_system, package):
    system = make_system()
    system.install(package, *SYSTEMD)
    system.set_ports()
    booted = Booted(system)
    yield booted
    booted.stop()
