# SPDX-License-Identifier: Apache-2.0
"""A link that takes time: a proxy for TCP that hands on, in either direction, what it got a while ago."""

import asyncio
import threading

from .server import free_port


class SlowLink:
    """`with SlowLink(port) as link`: who connects to `link.address` reaches the port of this machine, `link.delay` seconds later."""

    def __init__(self, target, delay=0.0):
        self.target, self.delay = target, delay
        self.port = free_port()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._accept, "127.0.0.1", self.port), self.loop).result(10)
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _close(self):
        self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(self._carry(reader, to_writer), self._carry(to_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            to_writer.transport.abort()

    async def _carry(self, reader, writer):
        under_way = asyncio.Queue()

        async def deliver():
            while (parcel := await under_way.get()) is not None:
                due, data = parcel
                await asyncio.sleep(max(0, due - self.loop.time()))
                writer.write(data)
                await writer.drain()
            writer.write_eof()

        async def collect():
            while data := await reader.read(65536):
                under_way.put_nowait((self.loop.time() + self.delay, data))
            under_way.put_nowait(None)

        await asyncio.gather(deliver(), collect())
