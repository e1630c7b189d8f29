# SPDX-License-Identifier: Apache-2.0
"""Links between the machines of a cluster are cut, one way or both; the machines are network namespaces that the test makes."""

import os
import pathlib
import subprocess
import sys

import pytest

from network.namespaces import Network, usable
from network.scenarios import MACHINES, SCENARIOS

SCRIPT = pathlib.Path(__file__).parent / "network/scenarios.py"


@pytest.mark.skipif(not usable(), reason="making network namespaces needs root, ip and nft")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_histories_are_linearizable_when_links_are_cut(tmp_path, scenario):
    with Network(MACHINES) as network:
        done = subprocess.run([*network.inside("hub"), sys.executable, str(SCRIPT), scenario, str(tmp_path)], capture_output=True, text=True,
                              timeout=100, env={**os.environ, "SKERRY_TEST_NETWORK": network.stem})
    assert done.returncode == 0, done.stdout + done.stderr
