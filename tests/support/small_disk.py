# SPDX-License-Identifier: Apache-2.0
"""A small file system of its own, so that a test can fill it up."""

import contextlib
import os
import shutil
import subprocess

import pytest

SIZE_MIB = 320   # room for the first segments of the log and the engine's files


@contextlib.contextmanager
def small_disk(folder, mount, size_mib=SIZE_MIB):
    """Mounted at `mount`, which is made; skips the test where that is not allowed. Its image is in `folder`."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting a small file system needs root and mkfs.ext4")
    image = folder / "disk.img"
    mount.mkdir(parents=True)
    with open(image, "wb") as file:
        file.truncate(size_mib << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode != 0:
        pytest.skip("loop mounts are not allowed here")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def fill(mount, leave_bytes):
    """Leaves about as much space as that; what it returns can be deleted again."""
    free = os.statvfs(mount)
    ballast = mount / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave_bytes))
    return ballast
