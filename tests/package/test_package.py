# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what is in it, and its whole life on a bare Debian 12 that has never seen the repository."""

import json
import re
import shlex
import shutil
import stat
import subprocess

import pytest

from package.conftest import output
from support.protocol import ROOT
from support.server import eventually

MIB = 1 << 20
CONFIGURATION = "/etc/skerry/standalone.yaml"
pytestmark = pytest.mark.timeout(900)   # the first system is fetched


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    output("dpkg-deb", "--raw-extract", package, folder)
    return folder


# --- what is in it


def test_the_program_is_stripped_and_below_25_mib(unpacked):
    program = unpacked / "usr/bin/skerry"
    assert program.stat().st_size <= 25 * MIB
    sections = output("readelf", "--section-headers", "--wide", program)
    assert ".symtab" not in sections and ".debug_info" not in sections
    assert ".dynsym" in sections   # names for backtraces


def test_lintian_finds_nothing(package):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", str(package)], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_of_it_belongs_to_root_and_only_root_may_write_it(package):
    for line in output("dpkg-deb", "--contents", package).splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and mode[5] != "w" and mode[8] != "w", line


def test_the_same_program_makes_the_same_package(package, tmp_path, unpacked):
    """Apart from the program itself, which is stripped already when it comes from the package."""
    made = [output(ROOT / "packaging/build_deb.sh", unpacked / "usr/bin/skerry", tmp_path / name).strip() for name in ("one", "two")]
    first, second = (open(path, "rb").read() for path in made)
    assert first == second


def test_the_manual_names_every_command(unpacked):
    page = output("gzip", "-dc", unpacked / "usr/share/man/man1/skerry.1.gz")
    for command in ("standalone", "client put", "client range-scan", "health", "wal verify", "config show", "completion"):
        assert f".SS skerry {command}".replace("-", "\\-") in page
    assert "SKERRY_STORAGE_DATA_DIR" in page and "/etc/skerry/standalone.yaml" in page


def test_the_completions_are_scripts_of_their_shells(unpacked):
    output("bash", "-n", unpacked / "usr/share/bash-completion/completions/skerry")
    assert (unpacked / "usr/share/zsh/vendor-completions/_skerry").read_text().startswith("#compdef skerry")
    assert "complete -c skerry" in (unpacked / "usr/share/fish/vendor_completions.d/skerry.fish").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_systemd_takes_the_unit_and_finds_it_well_confined(unpacked, tmp_path):
    # With a program that is there: systemd asks for that, too.
    unit = tmp_path / "skerry.service"
    unit.write_text((unpacked / "lib/systemd/system/skerry.service").read_text().replace("/usr/bin/skerry", str(unpacked / "usr/bin/skerry")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "skerry" in line]
    assert not complaints, complaints
    output("systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit))   # 2.0 of 10: "OK" begins at 5


# --- its life on a bare Debian


@pytest.fixture(scope="module")
def installed(system, package):
    assert not system.path("/usr/bin/skerry").exists()
    system.install(package)
    system.set_ports()
    return system


def service_command(system):
    unit = system.path("/lib/systemd/system/skerry.service").read_text()
    return shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])


def test_it_brings_a_user_a_data_folder_and_an_enabled_service(installed):
    user = next(line for line in installed.path("/etc/passwd").read_text().splitlines() if line.startswith("skerry:")).split(":")
    assert 0 < int(user[2]) < 1000 and user[6] == "/usr/sbin/nologin"
    folder = installed.path("/var/lib/skerry").stat()
    assert folder.st_uid == int(user[2]) and stat.S_IMODE(folder.st_mode) == 0o700
    assert installed.path("/etc/systemd/system/multi-user.target.wants/skerry.service").is_symlink()
    assert installed.run("skerry", "config", "check", CONFIGURATION).returncode == 0


def test_the_service_s_command_serves_and_keeps_what_it_acknowledged(installed):
    installed.start(*service_command(installed))
    uid = installed.path("/var/lib/skerry").stat().st_uid
    with open(f"/proc/{installed.pid()}/status") as status:
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status.readlines()
    assert json.loads(installed.client("put", "/greeting", "hello"))["version_id"] == 0
    installed.kill()
    installed.start(*service_command(installed))
    assert installed.client("get", "/greeting") == "hello\n"
    made = list(installed.path("/var/lib/skerry").iterdir())
    assert made and all(path.stat().st_uid == uid for path in made)
    installed.kill()


def test_the_image_s_command_and_health_check_work(installed):
    recipe = (ROOT / "packaging/Dockerfile").read_text().replace("\\\n", " ")
    said = {word: value for word, value in re.findall(r"^([A-Z]+) +(.*)$", recipe, re.MULTILINE)}
    environment = [setting.replace(":6648", f":{installed.port}").replace(":8080", f":{installed.metrics_port}") for setting in said["ENV"].split()]
    installed.start("env", *environment, *json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"]))
    check = json.loads(said["HEALTHCHECK"].split("CMD ")[1])
    assert installed.run(*check, "--port", installed.port, user="nobody").returncode == 0
    assert installed.client("get", "/greeting") == "hello\n"
    installed.kill()
    assert installed.run(*check, "--port", installed.port, user="nobody", check=False).returncode != 0


def test_an_upgrade_keeps_the_configuration_that_was_changed(installed, package):
    before = installed.path(CONFIGURATION).read_text()
    installed.install(package)
    assert installed.path(CONFIGURATION).read_text() == before


def test_removing_it_keeps_configuration_and_data_and_purging_it_the_data(installed, package):
    installed.dpkg("--remove", "skerry")
    assert not installed.path("/usr/bin/skerry").exists()
    assert installed.path(CONFIGURATION).exists() and any(installed.path("/var/lib/skerry").iterdir())
    said = installed.dpkg("--purge", "skerry")
    assert "/var/lib/skerry" in said
    assert not installed.path("/etc/skerry").exists() and any(installed.path("/var/lib/skerry").iterdir())
    assert not list(installed.path("/etc/systemd/system").rglob("skerry.service"))
    installed.install(package)   # and the data is there again
    installed.set_ports()
    installed.start(*service_command(installed))
    assert installed.client("get", "/greeting") == "hello\n"
    installed.kill()


def test_purging_it_without_data_leaves_nothing(installed):
    shutil.rmtree(installed.path("/var/lib/skerry"))
    installed.dpkg("--purge", "skerry")
    assert "skerry" not in installed.path("/etc/passwd").read_text()
    eventually(lambda: not installed.path("/var/lib/skerry").exists(), "the end of the data folder")


# --- under systemd, confined as its unit says


def test_systemd_starts_it_at_boot_and_again_when_it_was_killed(booted):
    system = booted.system
    eventually(system.healthy, "the service", seconds=60)
    assert booted.state("ActiveState") == "active"
    system.client("put", "/greeting", "hello")
    booted.enter("systemctl", "kill", "--signal=KILL", "skerry")
    eventually(lambda: booted.state("NRestarts") == "1" and system.healthy(), "the service again", seconds=60)
    assert system.client("get", "/greeting") == "hello\n"


def test_confined_it_needs_none_of_what_was_taken_from_it(booted):
    system = booted.system
    eventually(system.healthy, "the service", seconds=60)
    lines = "\n".join(json.dumps({"key": f"/k/{n:05}", "value": "x" * 200}) for n in range(20_000))
    system.path("/tmp/records").write_text(lines)
    system.client("put", "--json-lines", "--file", "/tmp/records")
    assert len(system.client("list", "-s", "/k/", "-e", "/k//").splitlines()) == 20_000
    assert booted.enter("skerry", "health", "--port", system.port).strip() == "SERVING"
    journal = booted.enter("journalctl", "--unit=skerry", "--no-pager")
    assert "warn" not in journal and "error" not in journal.lower(), journal


def test_systemd_stops_it_gracefully_and_does_not_repeat_what_was_refused(booted):
    booted.enter("systemctl", "stop", "skerry")
    assert (booted.state("ActiveState"), booted.state("ExecMainStatus")) == ("inactive", "0")
    file = booted.system.path(CONFIGURATION)
    file.write_text(file.read_text() + "nonsense: 1\n")
    booted.enter("systemctl", "start", "skerry")
    eventually(lambda: booted.state("ActiveState") == "failed", "the refusal")
    assert (booted.state("ExecMainStatus"), booted.state("NRestarts")) == ("2", "0")
    assert "nonsense" in booted.enter("journalctl", "--unit=skerry", "--no-pager")
