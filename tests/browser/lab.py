"""Works in JupyterLab as a person does: python lab.py ADDRESS TOKEN NOTEBOOKS CHROMIUM FOLDER

Opens partie2 and partie5, runs them whole from the menu, single cells again, restarts a kernel and runs again, and
exports to HTML. Prints a line for each thing that was seen; pictures and pages go to FOLDER. Anything else than what a
person hopes for ends it with a message and exit code 1.
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
        self.until(120, "the kernel is ready", self.is_idle)
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

    def menu(self, menu, *items):
        self.page.locator("#jp-MainMenu .lm-MenuBar-item").get_by_text(menu, exact=True).click()
        for item in items:
            self.page.locator(".lm-Menu-item:visible").get_by_text(item, exact=True).click()

    def state(self):
        """What the bar at the bottom says of the kernel. The sign above the notebook is idle before there is a kernel."""
        return self.page.locator("#jp-main-statusbar").inner_text().replace("\n", " ")

    def is_idle(self):
        return "| Idle" in self.state()

    def until(self, seconds, what, is_so):
        """Looks now and then whether something has become so."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                self.picture("late")
                cells = [cell for cell in self.cells() if cell["cell_type"] == "code" and not cell["execution_count"]]
                fail(
                    f"{self.name}: not within {seconds} s: {what}\nthe bar at the bottom: {self.state()}\n"
                    f"saved without having run: {[''.join(cell['source']) for cell in cells]}"
                )
            self.page.wait_for_timeout(500)

    def wait(self, what, is_so):
        """The cells of code, once the kernel rests and something has become so; the kernel's errors end it at once."""
        cells = []

        def has_become_so():
            if not self.is_idle():
                return False
            cells[:] = self.saved()
            for cell in cells:
                # What a cell's `?` gives back is told on stderr.
                told = [out.get("evalue") or out["text"] for out in cell["outputs"] if "evalue" in out or out.get("name") == "stderr"]
                if told:
                    self.picture("error")
                    fail(f"{self.name}: {''.join(cell['source'])}\n{''.join(told[0])}")
            return is_so(cells)

        self.until(LIMIT, what, has_become_so)
        return cells

    def run_all(self):
        began = time.monotonic()
        self.menu("Run", "Run All Cells")
        cells = self.wait("every cell has run", all_in_order)
        say(f"{self.name}: all {len(cells)} cells ran in {time.monotonic() - began:.0f} s")
        return cells

    def restart_and_run_all(self):
        """A cell that ran alone before stands out of order until all have run again."""
        began = time.monotonic()
        self.menu("Kernel", "Restart Kernel and Run All Cells…")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        cells = self.wait("every cell has run after a restart", all_in_order)
        say(f"{self.name}: restarted, all {len(cells)} cells ran in {time.monotonic() - began:.0f} s")
        return cells

    def export(self):
        """Exports it from the menu; gives the file."""
        file = FOLDER / f"exported-{self.name}.html"
        with self.page.expect_download() as download:
            self.menu("File", "Save and Export Notebook As", "HTML")
            # It asks whether to make the page harmless, and thinks so itself.
            self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        download.value.save_as(file)
        say(f"{self.name}: exported, {file.stat().st_size // 1000} kB")
        return file

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


def all_in_order(cells):
    """Whether each cell was the next one that the kernel ran."""
    counts = [cell["execution_count"] for cell in cells]
    return None not in counts and counts == list(range(counts[0], counts[0] + len(counts)))


def text_of(cell):
    return json.dumps(cell["outputs"], ensure_ascii=False)


def listen(page, heard):
    page.on("pageerror", lambda error: heard.append(f"{page.url}: {error}"))
    page.on("console", lambda line: line.type == "error" and heard.append(f"{page.url}: {line.text}"))


def look_at(context, heard, file):
    """Opens an exported page as who receives it does: the file alone, and no network."""
    page = context.new_page()
    listen(page, heard)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri(), wait_until="networkidle")
    strangers = [url[:80] for url in asked if not url.startswith((file.as_uri(), "data:", "blob:"))]
    if strangers:
        fail(f"{file.name} asks for more than itself: {strangers}")
    for what, selector in {"title": "h1", "contents": "nav a", "chart": "svg:visible, img:visible", "table": "table"}.items():
        if page.locator(selector).count() == 0:
            fail(f"{file.name} shows no {what}")
    page.screenshot(path=FOLDER / f"{file.stem}.png", full_page=True)
    page.close()


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
    first = next(cell for cell in stream.restart_and_run_all() if "pipeline.run(" in "".join(cell["source"]))
    if "Aucun nouveau message" not in text_of(first):
        fail(f"partie2: a restarted kernel wrote something again: {text_of(first)}")

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
    look_at(context, heard, charts.export())


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
