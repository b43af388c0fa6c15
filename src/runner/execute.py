"""Runs one notebook on the kernel `rust` and tells, one JSON object per line, how each cell went.

usage: execute.py NOTEBOOK EXECUTED SECONDS_PER_CELL

The kernel starts at once; the cells run after a line `go` on stdin. A prompt of a cell is told as an `input`
event and answered by the next line. What a cell's outputs mean is judged by the caller: the kernel answers
"ok" to a cell that ended on `?` or a panic. After each cell the caller says `next` or `stop`. When stdin ends,
the kernel and this program end at once, whatever they do: nobody is left to wait for them.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import nbformat
from jupyter_client import KernelManager
from nbformat.v4 import output_from_msg


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


said = queue.SimpleQueue()


def hear():
    return said.get()


def listen(manager):
    """Passes on what the caller says; a caller that is gone takes the kernel, with all its processes, along."""
    for line in sys.stdin:
        said.put(line.rstrip("\n"))
    group = getattr(manager.provisioner, "pgid", None)
    try:
        if group:
            os.killpg(group, signal.SIGKILL)
        manager.cleanup_connection_file()
    finally:
        os._exit(1)


class Gone(Exception):
    """The kernel's process ended."""


class TooLong(Exception):
    """The cell did not end in its time."""


# A cell's last words on stderr may come after the kernel has called it done; most come within this time.
SETTLE = 0.1


def run_cell(manager, client, code, limit, shown):
    """Executes `code`; returns its outputs and its execution count.

    `shown` holds the outputs of every request so far: what still comes from an earlier cell is added to that one.
    """
    outputs, count = [], None
    deadline = time.monotonic() + limit
    request = client.execute(code, allow_stdin=True, stop_on_error=False)
    shown[request] = outputs
    replied = idle = False
    while not (replied and idle):
        if time.monotonic() > deadline:
            raise TooLong(outputs)
        if not manager.is_alive():
            raise Gone(outputs)
        try:
            idle |= take(client.get_iopub_msg(timeout=0.1), shown, request)
        except queue.Empty:
            pass
        if client.stdin_channel.msg_ready():
            asked = client.get_stdin_msg(timeout=1)
            waiting = time.monotonic()
            # Prompts have a channel of their own and may overtake the lines that were printed before them.
            idle |= read_until_quiet(client, request, shown)
            tell("input", prompt=asked["content"]["prompt"], outputs=outputs)
            client.input(hear())
            deadline += time.monotonic() - waiting
        if not replied and client.shell_channel.msg_ready():
            reply = client.get_shell_msg(timeout=1)
            if reply["parent_header"].get("msg_id") == request:
                replied, count = True, reply["content"].get("execution_count")
    read_until_quiet(client, request, shown, SETTLE)
    return outputs, count


def complains(outputs):
    """True when something was said on stderr, or an error was shown."""
    return any(o["output_type"] == "error" or o.get("name") == "stderr" for o in outputs)


def read_until_quiet(client, request, shown, moment=0.5):
    """Takes what is printed until nothing comes for a moment; True when the cell has ended meanwhile."""
    idle = False
    while True:
        try:
            idle |= take(client.get_iopub_msg(timeout=moment), shown, request)
        except queue.Empty:
            return idle


def take(message, shown, request):
    """Keeps a message's output with the cell it belongs to; True when it says that `request` has ended."""
    kind = message["msg_type"]
    cell = message["parent_header"].get("msg_id")
    if kind in ("stream", "execute_result", "display_data", "error") and cell in shown:
        add(shown[cell], output_from_msg(message))
    return cell == request and kind == "status" and message["content"]["execution_state"] == "idle"


def add(outputs, output):
    """Appends an output; pieces of one stream become one."""
    last = outputs[-1] if outputs else None
    if last and output["output_type"] == "stream" == last["output_type"] and last["name"] == output["name"]:
        last["text"] += output["text"]
    else:
        outputs.append(output)


def save(notebook, executed):
    """Writes the notebook whole or not at all."""
    fresh = executed + ".new"
    try:
        nbformat.write(notebook, fresh)
        os.replace(fresh, executed)
    except OSError as cause:
        if os.path.exists(fresh):
            os.remove(fresh)
        # Last: whoever hears it may end this program.
        tell("unwritten", why=cause.strerror or str(cause))


def main(source, executed, limit):
    notebook = nbformat.read(source, as_version=4)
    manager = KernelManager(kernel_name="rust")
    started = time.monotonic()
    try:
        # What the kernel itself prints belongs to no cell, and stdout is the line to the caller.
        manager.start_kernel(cwd=source.rpartition("/")[0] or ".", stdout=subprocess.DEVNULL)
        threading.Thread(target=listen, args=[manager], daemon=True).start()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        tell("ready", seconds=time.monotonic() - started)
        if hear() != "go":
            return
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        shown = {}
        for index, cell in enumerate(cells):
            tell("cell", index=index, of=len(cells), source=cell.source)
            begin, ended = time.monotonic(), "complete"
            try:
                cell.outputs, cell.execution_count = run_cell(manager, client, cell.source, limit, shown)
                if index + 1 == len(cells):
                    read_until_quiet(client, None, shown)
            except (Gone, TooLong) as cause:
                ended = "gone" if isinstance(cause, Gone) else "too long"
                cell.outputs = cause.args[0]
            if index and complains(cells[index - 1].outputs):
                # It was the cell before that failed; this one ran on without knowing.
                tell("done", index=index - 1, seconds=0.0, ended="complete", outputs=cells[index - 1].outputs)
                hear()
                return
            tell("done", index=index, seconds=time.monotonic() - begin, ended=ended, outputs=cell.outputs)
            if ended != "complete":
                return
            if hear() != "next":
                return
    except RuntimeError as cause:
        tell("failed", why=str(cause))
    finally:
        save(notebook, executed)
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        tell("end")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
