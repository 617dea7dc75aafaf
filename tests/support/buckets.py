"""Buckets on loopback: moto's server, in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def serving_buckets() -> Iterator[str]:
    """Yield the address of a server; it ends with the context.

    Raises
    ------
    RuntimeError
        If it ends before it answers.
    """
    # In its own process: threads of a server here would be traced and interrupted.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection((host, port)).close()
                break
            except ConnectionRefusedError:
                if server.poll() is not None:
                    raise RuntimeError(
                        "moto's server has ended before it answered"
                    ) from None
                time.sleep(0.05)  # it has not started yet, but is running
        yield f"http://{host}:{port}"
    finally:
        server.terminate()
        server.wait()


def credentials(endpoint: str) -> Mapping[str, str]:
    """Return the environment in which the AWS tools ask this server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
