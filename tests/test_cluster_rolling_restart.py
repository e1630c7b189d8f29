# SPDX-License-Identifier: Apache-2.0
"""Every process of a cluster is restarted, one after the other, while clients go on."""

import random

from support.admin import Admin
from support.cluster import Cluster
from support.server import eventually
from torture.cluster_torture import Torture


def test_a_rolling_restart_of_everything_fails_no_request_that_is_retried(tmp_path):
    seed = random.SystemRandom().randrange(1_000_000)
    cluster = Cluster(tmp_path, coordinators=3)
    torture, admin = Torture(tmp_path, seed, cluster=cluster), Admin(cluster)
    try:
        torture.start()
        for each in cluster.processes():
            eventually(admin.whole, f"all replicas, before {each.name} is restarted", 60)
            assert each.stop() == 0, each.output()[-2000:]
            each.start()
        eventually(admin.whole, "all replicas", 60)
        torture.finish()
        assert all(each.running() for each in cluster.processes())
    finally:
        cluster.stop()
    counts = torture.history.counts()
    assert counts["puts"] > 100 and counts["gets"] > 100, f"seed {seed}: {counts}"
    assert torture.given_up() == [], f"seed {seed}"
    assert torture.history.violations() == [], f"seed {seed}"
