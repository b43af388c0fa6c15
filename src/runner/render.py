"""Turns executed notebooks into pages: reads a path per line on stdin, answers the page's path or an error.

usage: render.py FOLDER

Pages are self-contained: nothing is fetched when they are opened.
"""

import json
import os
import re
import sys

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config


# Charts as wide as the page at most, on screen and on paper; one chart is never cut by a page's end. Where the
# reader's screen is dark, page and charts both are; paper is white.
STYLE = """<style>
:root { color-scheme: light dark; }
.spar-failed { margin: 0; padding: 0.6em 1em; color: var(--jp-content-font-color1); background: var(--jp-rendermime-error-background); }
.jp-RenderedSVG img, .jp-RenderedImage img { max-width: 100%%; height: auto; }
@media print { :root { color-scheme: light; } .jp-OutputArea-output { break-inside: avoid; } }
@media screen and (prefers-color-scheme: dark) {
%s
}
</style>
</head>"""


def dark_theme(exporter):
    """JupyterLab's dark colours, as the template brings them; none where it does not."""
    for folder in exporter.template_paths:
        theme = os.path.join(folder, "static", "theme-dark.css")
        if os.path.exists(theme):
            with open(theme, encoding="utf-8") as css:
                return css.read()
    return ""


def failed_cell(notebook):
    """Number and id of the first code cell that complained; the run ended there."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, 1):
        if any(o.output_type == "error" or o.get("name") == "stderr" for o in cell.outputs):
            return number, cell.get("id", "")
    return None


def pointing_at(page, failed):
    """The page with a line on top that leads to the cell that failed."""
    number, name = failed
    line = f'<p class="spar-failed">Arrêté à la cellule {number} : <a href="#failed">la voir</a>.</p>'
    page = re.sub(r"(<body[^>]*>)", lambda body: body[1] + line, page, count=1)
    cell = rf'(<div[^>]*\bid="cell-id={re.escape(name)}")'
    return re.sub(cell, lambda div: '<a id="failed"></a>' + div[1], page, count=1)


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
    settings = Config()
    settings.HTMLExporter.template_name = "lab"
    settings.HTMLExporter.embed_images = True
    settings.HTMLExporter.mathjax_url = ""
    settings.HTMLExporter.require_js_url = ""
    settings.HTMLExporter.jquery_url = ""
    settings.HTMLExporter.mermaid_js_url = ""
    settings.HTMLExporter.widget_renderer_url = ""
    exporter = HTMLExporter(config=settings)
    style = STYLE % dark_theme(exporter)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        source = line.rstrip("\n")
        name = os.path.splitext(os.path.basename(source))[0]
        try:
            notebook = nbformat.read(source, as_version=4)
            page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": name}})
            target = os.path.join(folder, name + ".html")
            page = page.replace("</head>", style, 1)
            failed = failed_cell(notebook)
            page = pointing_at(page, failed) if failed else page
            write(target, page)
            print(json.dumps({"page": target}), flush=True)
        except Exception as cause:  # one bad page must not cost the others
            print(json.dumps({"error": f"{type(cause).__name__}: {cause}"}), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:  # nobody waits for pages any more
        os._exit(1)
