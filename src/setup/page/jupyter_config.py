"""How a notebook becomes a page: read by JupyterLab's "Save and Export Notebook As", by nbconvert and by `spar run`.

The set-up writes this file and the template `spar` anew each time; changes belong into the project's sources.
"""

import re

c = get_config()  # noqa: F821

# U+202F, the narrow space that never breaks a line.
NARROW = "\u202f"

SPACES = [
    (re.compile(r"[ \u00a0]+([;:!?%»])"), NARROW + r"\1"),
    (re.compile(r"«[ \u00a0]+"), "«" + NARROW),
    # Thousands: 1 600 000.
    (re.compile(r"(?<=\d) (?=\d{3}(?!\d))"), NARROW),
]
LETTERS = [(re.compile(r"(?<=\w)'(?=\w)"), "’")]

# What is never prose.
VERBATIM = ["code", "pre", "kbd", "samp", "script", "style", "textarea"]


def french(soup, where, rules):
    """Typography that a keyboard does not have: narrow spaces before ; : ! ? and inside « », curved apostrophes."""
    from bs4 import NavigableString

    for text in [text for prose in soup.select(where) for text in prose.find_all(string=True)]:
        # Comments and the like are strings of another kind.
        if type(text) is NavigableString and not text.find_parent(VERBATIM):
            typeset = text
            for pattern, put in rules:
                typeset = pattern.sub(put, typeset)
            text.replace_with(typeset)


# What a page keeps of HTML that shall be made harmless, as JupyterLab's export proposes: all that only shows something.
TAGS = """a abbr acronym b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1
    h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th
    thead tr u ul var""".split()
ATTRIBUTES = {"class", "id", "style", "title", "lang", "dir", "align", "alt", "colspan", "rowspan", "scope", "span", "start"}
STYLES = """border-collapse border-bottom display font-size font-style font-weight height margin max-height max-width
    min-height min-width opacity overflow overflow-wrap overflow-x overflow-y padding text-align text-decoration
    vertical-align white-space width""".split()


def keeps(tag, name, value):
    """Whether an attribute stays: a picture is in the page itself, and a link leads out of it or within it."""
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    return name in ATTRIBUTES


def harmless(html):
    """The HTML without what acts or fetches; nbconvert's own filter keeps no heading, no paragraph and no picture."""
    import bleach
    from bleach.css_sanitizer import CSSSanitizer

    html = html.decode() if isinstance(html, bytes) else str(html)
    protocols = {*bleach.ALLOWED_PROTOCOLS, "data"}
    styles = CSSSanitizer(allowed_css_properties=STYLES)
    return bleach.clean(html, tags=TAGS, attributes=keeps, protocols=protocols, css_sanitizer=styles)


def frame(soup, table):
    """A table wider than the page scrolls in a box of its own, which a keyboard must reach; values stay on a line."""
    own = table.parent.name == "div" and "overflow" in table.parent.get("style", "")
    box = table.parent if own else table.wrap(soup.new_tag("div"))
    box.attrs.update({"tabindex": "0", "role": "group", "aria-label": "Tableau"})
    row = table.find("tr")
    columns = len(row.find_all(["th", "td"], recursive=False)) if row else 0
    box["class"] = ["table"] + ["wide"] * (columns > 6) + ["very-wide"] * (columns > 10)
    for cell in table.find_all(["th", "td"]):
        cell["class"] = [*cell.get("class", []), "short" if len(cell.get_text()) <= 30 else "long"]


def dress(html, name):
    """The cells' HTML as a page: its title, its contents, which cells failed, and the HTML with French typography."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(str(html), "html.parser")
    french(soup, ".jp-MarkdownOutput", SPACES + LETTERS)
    # The sentences of outputs keep their letters; tables and what is printed keep their spaces too.
    french(soup, ".jp-OutputArea-output > p, .jp-OutputArea-output figcaption", SPACES)
    failed = []
    for number, cell in enumerate(soup.select(".jp-CodeCell"), 1):
        cell["id"] = f"cellule-{number}"
        if cell.select_one('[data-mime-type$="stderr"]'):
            failed.append(number)
        prompt = soup.new_tag("span", attrs={"class": "prompt", "aria-hidden": "true"}, string=f"[{number}]")
        cell.insert(0, prompt)
    for code in soup.find_all("code"):
        code["translate"] = "no"
    for table in soup.select(".jp-OutputArea-output table"):
        frame(soup, table)
    for block in soup.select(".jp-RenderedHTML > pre"):
        block["tabindex"] = "0"

    title, contents, taken = None, [], set()
    for heading in soup.select(".jp-MarkdownOutput :is(h1, h2, h3)"):
        text = heading.get_text()
        # As JupyterLab names its anchors, so that a link from one cell to another works on both sides.
        anchor = base = text.replace(" ", "-")
        while anchor in taken:
            anchor = f"{base}-{len(taken)}"
        taken.add(anchor)
        heading["id"] = anchor
        if heading.name == "h1" and title is None:
            title = text
        else:
            contents.append({"level": int(heading.name[1]), "id": anchor, "text": text})
    html = str(soup)
    if title is None:
        title = name
        html = f"{soup.new_tag('h1', string=name)}{html}"
    return {"title": title, "contents": contents, "failed": failed, "html": html}


c.HTMLExporter.template_name = "spar"
c.HTMLExporter.language_code = "fr"
c.HTMLExporter.embed_images = True
c.HTMLExporter.exclude_anchor_links = True
c.HTMLExporter.filters = {"dress": dress, "clean_html": harmless}
# Slides take their settings from pages.
c.SlidesExporter.template_name = "reveal"
