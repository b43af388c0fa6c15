"""Turns executed notebooks into pages: reads a path per line on stdin, answers the page's path or an error.

usage: render.py FOLDER

It has the settings that any Jupyter program has here, so its pages are those that JupyterLab exports.
"""

import json
import os
import sys

import nbformat
from nbconvert import HTMLExporter
from nbconvert.nbconvertapp import NbConvertApp


def write(target, page):
    """Writes the page whole or not at all."""
    fresh = target + ".new"
    try:
        with open(fresh, "w", encoding="utf-8") as out:
            out.write(page)
        os.replace(fresh, target)
    except OSError:
        if os.path.exists(fresh):
            os.remove(fresh)
        raise


def main(folder):
    settings = NbConvertApp()
    settings.load_config_file()
    exporter = HTMLExporter(config=settings.config)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        source = line.rstrip("\n")
        name = os.path.splitext(os.path.basename(source))[0]
        try:
            notebook = nbformat.read(source, as_version=4)
            resources = {"metadata": {"name": name}, "index": "index.html"}
            page, _ = exporter.from_notebook_node(notebook, resources)
            target = os.path.join(folder, name + ".html")
            write(target, page)
            print(json.dumps({"page": target}), flush=True)
        except Exception as cause:  # one bad page must not cost the others
            print(json.dumps({"error": f"{type(cause).__name__}: {cause}"}), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:  # nobody waits for pages any more
        os._exit(1)
