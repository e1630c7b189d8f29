# SPDX-License-Identifier: Apache-2.0
"""A few faults of `./dev torture cluster` in every run."""

import random

from torture.cluster_torture import Torture


def test_histories_are_linearizable_through_kills_and_hangs(tmp_path):
    seed = random.SystemRandom().randrange(1_000_000)
    torture = Torture(tmp_path, seed)
    try:
        torture.start()
        for _ in range(5):
            torture.fault()
        torture.finish()
    finally:
        torture.cluster.stop()
    counts = torture.history.counts()
    assert counts["puts"] > 200 and counts["gets"] > 200, f"seed {seed}: {counts}"
    assert torture.history.violations() == [], f"seed {seed}"
    assert torture.given_up() == [], f"seed {seed}"
