# SPDX-License-Identifier: Apache-2.0
"""The container image: its recipe, built as it stands on the bare Debian 12 of these tests, and run as its configuration says.

An engine does the building (buildah); running is namespaces, a folder and a user, done here by hand, since engines want more rights
than a test may have."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from package.conftest import System, output
from support.protocol import ROOT

RECIPE = ROOT / "packaging/Dockerfile"
VOLUME = "/var/lib/skerry"
pytestmark = [pytest.mark.timeout(900),   # the first system is fetched
              pytest.mark.skipif(shutil.which("buildah") is None, reason="no engine builds the image here: apt-get install buildah")]


class Container(System):
    """Runs of an image, with a network and a volume of its own."""

    def __init__(self, root, config, network):
        super().__init__(root)
        self.config, self.network, self.port = config, network, 6648
        self.empty_volume = root.parent / "empty-volume"
        shutil.rmtree(self.empty_volume, ignore_errors=True)
        output("cp", "-a", self.path(VOLUME), self.empty_volume)

    def clear_volume(self):
        shutil.rmtree(self.path(VOLUME))
        output("cp", "-a", self.empty_volume, self.path(VOLUME))

    def command(self, *words, user=None):
        return ["ip", "netns", "exec", self.network, *super().command("env", *self.config["Env"], *words, user=user)]

    def healthy(self):
        check, *words = self.config["Healthcheck"]["Test"]
        assert check == "CMD"
        return self.run(*words, user="skerry", check=False).returncode == 0

    def start_image(self, *settings):
        self.start("env", *settings, *self.config["Entrypoint"], *self.config["Cmd"])

    def stop(self):
        os.kill(self.pid(), getattr(signal, self.config["StopSignal"]))
        return self.service.wait(20)


@pytest.fixture(scope="module")
def image(package, pristine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")

    def buildah(*words):
        return output("buildah", "--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "vfs", *words).strip()

    base = next(line.split()[1] for line in RECIPE.read_text().splitlines() if line.startswith("FROM "))
    bare = buildah("from", "scratch")
    buildah("add", "--quiet", bare, pristine, "/")
    buildah("commit", "--quiet", "--rm", bare, f"docker.io/library/{base}")
    (folder / "context").mkdir()
    shutil.copy(package, folder / "context")
    buildah("build", "--format", "docker", "--isolation", "chroot", "--pull-never", "--network", "host", "--file", RECIPE, "--tag", "skerry",
            folder / "context")
    config = json.loads(buildah("inspect", "--type", "image", "skerry"))["Docker"]["config"]
    network = f"skerry-image-{os.getpid()}"
    output("ip", "netns", "add", network)
    output("ip", "-n", network, "link", "set", "lo", "up")
    yield Container(pathlib.Path(buildah("mount", buildah("from", "--pull-never", "skerry"))), config, network)
    output("ip", "netns", "delete", network)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def container(image):
    yield image
    image.kill()
    image.clear_volume()


def test_it_serves_without_root_and_its_own_check_says_so(container):
    assert not container.healthy()
    container.start_image()
    assert container.config["User"] == "648:648"
    status = open(f"/proc/{container.pid()}/status").read().splitlines()
    assert [line.split() for line in status if line.startswith(("Uid:", "Gid:"))] == [[name, *["648"] * 4] for name in ("Uid:", "Gid:")]
    container.client("put", "/greeting", "hello")
    assert container.client("get", "/greeting") == "hello\n"
    assert container.stop() == 0


def test_the_next_run_goes_on_with_the_volume_and_with_nothing_else(container):
    assert list(container.config["Volumes"]) == [VOLUME]
    container.start_image()
    container.client("put", "/kept", "yes")
    container.start_image()   # after a kill
    assert container.client("get", "/kept") == "yes\n"
    container.kill()
    container.clear_volume()
    container.start_image()
    assert container.client("list", "-s", "/", "-e", "//") == ""


def test_variables_are_settings_and_other_words_are_commands(container):
    container.start_image("SKERRY_SHARDS=3")
    shown = container.run("skerry", "admin", "-a", "127.0.0.1:6648", "-o", "json", "namespace", "get", "default", user="nobody").stdout
    assert len(json.loads(shown)["shards"]) == 3
    assert "Usage" in container.run(*container.config["Entrypoint"], "client", "--help", user="skerry").stdout


def test_nothing_of_the_packages_that_made_it_is_left_in_it(container):
    assert not list(container.path("/tmp").glob("*.deb"))
    assert not list(container.path("/var/lib/apt/lists").iterdir())
