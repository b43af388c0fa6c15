"""Interrupts a cell as a person does in Jupyter, then runs another; prints what came of both, as JSON.

usage: interrupt.py FILE_THAT_SAYS_THE_CELL_IS_AT_WORK SETUP_CELL LONG_CELL NEXT_CELL
"""

import json
import pathlib
import queue
import subprocess
import sys
import time

from jupyter_client import KernelManager


def until_idle(client, request, limit):
    """What a cell shows until it has ended."""
    said, deadline = "", time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=0.2)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        said += content.get("text", "") + "\n".join(content.get("traceback", []))
        said += content.get("data", {}).get("text/plain", "")
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return said
    raise SystemExit(f"a cell did not end within {limit} s; it said: {said}")


def reply(client, request):
    """The answer to a request."""
    while True:
        message = client.get_shell_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request:
            return message["content"]


def main(sign, setup, long, after):
    manager = KernelManager(kernel_name="rust")
    # What the kernel itself prints belongs to no cell.
    manager.start_kernel(stdout=subprocess.DEVNULL)
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        first = until_idle(client, client.execute(setup), 120)
        request = client.execute(long)
        deadline = time.monotonic() + 120
        while not pathlib.Path(sign).exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"the long cell never worked; it said: {until_idle(client, request, 10)}")
            time.sleep(0.05)
        began = time.monotonic()
        manager.interrupt_kernel()
        interrupted = until_idle(client, request, 30)
        seconds = time.monotonic() - began
        following = until_idle(client, client.execute(after), 240)
        # What Shift+Tab shows.
        asked = [client.inspect(code, len(code)) for code in ["Store::connect(", "writing.wait_seconds"]]
        told = [reply(client, request)["data"].get("text/plain", "") for request in asked]
        print(json.dumps({"setup": first, "interrupted": interrupted, "seconds": seconds, "after": following, "told": told}))
    finally:
        manager.shutdown_kernel(now=True)


main(*sys.argv[1:])
