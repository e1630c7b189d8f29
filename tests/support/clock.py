# SPDX-License-Identifier: Apache-2.0
"""A wall clock of a process's own that a test can set (libfaketime). The monotonic clock stays the machine's."""

import os
import pathlib

LIBRARY = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class WallClock:
    def __init__(self, file, ahead=0):
        assert LIBRARY, "libfaketime is not installed; ./dev setup does it"
        self.file = pathlib.Path(file)
        self.set(ahead)

    def set(self, ahead):
        """Seconds ahead of the machine's clock, from now on."""
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{ahead:+d}")
        os.rename(beside, self.file)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
