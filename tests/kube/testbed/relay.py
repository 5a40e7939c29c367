"""A TCP relay between two network namespaces, which can hold back what it carries.

usage: relay.py LISTEN_NAMESPACE|- PORT TARGET_NAMESPACE|- HOST:PORT FOLDER

It listens on 127.0.0.1:PORT of one namespace ("-": where it was started; port 0: any) and connects from the other. In FOLDER
it writes `port`, and reads from `delay` on SIGUSR1 how many seconds each packet waits, in both directions."""
import asyncio
import ctypes
import os
import signal
import socket
import sys

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    if namespace != "-":
        with open(f"/run/netns/{namespace}") as file:
            if _libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "cannot enter the network namespace", namespace)


class Relay:
    def __init__(self, target, folder):
        host, port = target.rsplit(":", 1)
        self.target, self.folder, self.delay = (host, int(port)), folder, 0.0

    def read_delay(self):
        with open(os.path.join(self.folder, "delay")) as file:
            self.delay = float(file.read())

    async def accept(self, reader, writer):
        try:
            there_reader, there_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))

    async def _carry(self, reader, writer):
        """Keeps the order and the distance in time: packets wait side by side, not one after the other."""
        waiting = asyncio.Queue(maxsize=256)
        loop = asyncio.get_running_loop()

        async def deliver():
            try:
                while True:
                    due, data = await waiting.get()
                    if due > loop.time():
                        await asyncio.sleep(due - loop.time())
                    if not data:
                        writer.write_eof()
                        return
                    writer.write(data)
                    await writer.drain()
            except (OSError, RuntimeError):
                writer.transport.abort()

        delivery = asyncio.create_task(deliver())
        data = True
        while data and not delivery.done():
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            put = asyncio.create_task(waiting.put((loop.time() + self.delay, data)))
            await asyncio.wait({put, delivery}, return_when=asyncio.FIRST_COMPLETED)
        await delivery


async def serve(listener, relay):
    server = await asyncio.start_server(relay.accept, sock=listener)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, relay.read_delay)
    async with server:
        await server.serve_forever()


def main(listen_namespace, port, target_namespace, target, folder):
    enter(listen_namespace)
    listener = socket.create_server(("127.0.0.1", int(port)))
    enter(target_namespace)
    with open(os.path.join(folder, "port.new"), "w") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    asyncio.run(serve(listener, Relay(target, folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
