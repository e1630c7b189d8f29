# SPDX-License-Identifier: Apache-2.0
"""The published Python client, as these tests make it."""

import oxia


def connect(address, **wishes):
    """A new client. Its constructor starts a thread before it makes the barrier that the thread needs: a server that answers in
    between leaves it waiting for 30 s in vain, whoever serves it."""
    try:
        return oxia.Client(address, **wishes)
    except RuntimeError as error:
        if "waiting for initial" not in str(error):
            raise
        return oxia.Client(address, **wishes)
