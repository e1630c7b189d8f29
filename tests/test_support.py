# SPDX-License-Identifier: Apache-2.0
"""What the other tests stand on must not deceive them."""

import threading

from support.server import Server, listens


def test_two_servers_that_are_given_one_port_at_once_do_not_share_it(tmp_path):
    for attempt in range(3):
        servers = [Server(tmp_path / f"{attempt}-{n}", shards=1) for n in range(2)]
        servers[1].port = servers[0].port
        starts = [threading.Thread(target=server.start) for server in servers]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        try:
            for server in servers:
                assert server.running() and listens(server.pid, server.port)
            assert servers[0].port != servers[1].port
        finally:
            for server in servers:
                server.kill()
