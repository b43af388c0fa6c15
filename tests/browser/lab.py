"""Works in JupyterLab as a person does: python lab.py ADDRESS TOKEN NOTEBOOKS CHROMIUM FOLDER

Opens partie2 and partie5, runs them whole from the menu, and single cells again. Prints a line for each thing that was
seen; pictures go to FOLDER. Anything else than what a person hopes for ends it with a message and exit code 1.
"""

import json
import pathlib
import sys
import time

from playwright.sync_api import Error, sync_playwright

ADDRESS, TOKEN, NOTEBOOKS, CHROMIUM, FOLDER = sys.argv[1:]
NOTEBOOKS, FOLDER = pathlib.Path(NOTEBOOKS), pathlib.Path(FOLDER)
# How long all cells of a notebook may take, in seconds; the kernel needs a few for each cell on a busy machine.
LIMIT = 420


def say(text):
    print(text, flush=True)


def fail(text):
    raise SystemExit(f"the browser test failed: {text}")


class Notebook:
    """One notebook in its tab."""

    def __init__(self, page, name):
        self.page, self.name = page, name
        page.goto(f"{ADDRESS}/lab/tree/notebooks/{name}.ipynb?reset")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=120_000)
        self.closed_news()
        self.codes = sum(cell["cell_type"] == "code" for cell in self.cells())
        say(f"{name}: open, kernel ready, {self.codes} cells of code")

    def closed_news(self):
        """JupyterLab may ask something once; a person says no."""
        for button in self.page.locator(".Toastify__toast-body button, .jp-toast-button").all():
            if button.inner_text() in ("No", "Dismiss"):
                button.click()

    def cells(self):
        """The cells as they are saved. Never asked of the server: it takes a file that is half written for a broken one."""
        for _ in range(50):
            try:
                return json.loads((NOTEBOOKS / f"{self.name}.ipynb").read_text("utf-8"))["cells"]
            except json.JSONDecodeError:
                self.page.wait_for_timeout(100)
        fail(f"{self.name}: the saved notebook is no JSON")

    def saved(self):
        """Saves it; the cells of code afterwards."""
        self.menu("File", "Save Notebook")
        self.page.wait_for_timeout(200)
        return [cell for cell in self.cells() if cell["cell_type"] == "code"]

    def menu(self, menu, item):
        self.page.locator("#jp-MainMenu .lm-MenuBar-item").get_by_text(menu, exact=True).click()
        self.page.locator(".lm-Menu-item:visible").get_by_text(item, exact=True).click()

    def wait(self, what, is_so):
        """Looks now and then whether something has become so; the kernel's errors end it at once."""
        deadline = time.monotonic() + LIMIT
        while True:
            self.page.wait_for_timeout(500)
            idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count() > 0
            cells = self.saved() if idle else []
            for cell in cells:
                # What a cell's `?` gives back is told on stderr.
                told = [out.get("evalue") or out["text"] for out in cell["outputs"] if "evalue" in out or out.get("name") == "stderr"]
                if told:
                    self.picture("error")
                    fail(f"{self.name}: {''.join(cell['source'])}\n{''.join(told[0])}")
            if cells and is_so(cells):
                return cells
            if time.monotonic() > deadline:
                self.picture("late")
                fail(f"{self.name}: not within {LIMIT} s: {what}")

    def run_all(self):
        began = time.monotonic()
        self.menu("Run", "Run All Cells")
        cells = self.wait("every cell has run", lambda cells: all(cell["execution_count"] for cell in cells))
        say(f"{self.name}: all {len(cells)} cells ran in {time.monotonic() - began:.0f} s")
        return cells

    def run_again(self, source):
        """Runs the first cell that holds `source` again."""
        before = {cell["id"]: cell["execution_count"] for cell in self.saved()}
        wanted = [cell["id"] for cell in self.saved() if source in "".join(cell["source"])]
        if not wanted:
            fail(f"{self.name}: no cell holds {source}")
        # Cells out of sight are not in the page: a person scrolls, or searches.
        self.top()
        editor = self.page.locator(".jp-CodeCell .cm-content").filter(has_text=source).first
        for _ in range(100):
            if editor.count():
                break
            self.page.locator(".jp-WindowedPanel-outer").hover()
            self.page.mouse.wheel(0, 600)
            self.page.wait_for_timeout(50)
        editor.click()
        self.page.keyboard.press("Control+Enter")
        highest = max(count or 0 for count in before.values())
        cells = self.wait(
            f"the cell {source} ran again",
            lambda cells: any(cell["id"] == wanted[0] and (cell["execution_count"] or 0) > highest for cell in cells),
        )
        say(f"{self.name}: the cell {source} ran again")
        return next(cell for cell in cells if cell["id"] == wanted[0])

    def picture(self, what):
        self.page.screenshot(path=FOLDER / f"lab-{self.name}-{what}.png")

    def top(self):
        self.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, 0)")
        self.page.wait_for_timeout(300)


def text_of(cell):
    return json.dumps(cell["outputs"], ensure_ascii=False)


def listen(page, heard):
    page.on("pageerror", lambda error: heard.append(f"{page.url}: {error}"))
    page.on("console", lambda line: line.type == "error" and heard.append(f"{page.url}: {line.text}"))


def work(context, heard):
    page = context.new_page()
    listen(page, heard)
    page.goto(f"{ADDRESS}/lab?token={TOKEN}")
    page.wait_for_selector("#jp-MainMenu")

    stream = Notebook(page, "partie2")
    stream.run_all()
    stream.picture("end")
    again = stream.run_again("pipeline.run(Until::CaughtUp)")
    if "Aucun nouveau message" not in text_of(again):
        fail(f"partie2: a second run wrote something again: {text_of(again)}")

    charts = Notebook(page, "partie5")
    charts.run_all()
    if page.locator(".jp-OutputArea-output svg, .jp-OutputArea-output img").count() == 0:
        fail("partie5: no chart is to be seen")
    charts.picture("end")
    charts.top()
    charts.picture("top")
    cell = charts.run_again("charts.draw_hashtags(")
    if "image/svg+xml" not in text_of(cell):
        fail("partie5: the cell that ran again shows no chart")


def main():
    heard = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 1600})
        try:
            work(context, heard)
        except Error as error:
            for number, page in enumerate(context.pages):
                page.screenshot(path=FOLDER / f"lab-failed-{number}.png")
            fail(error)
        browser.close()
    if heard:
        fail("the console told errors:\n" + "\n".join(heard))
    say("no error in the console")


main()
