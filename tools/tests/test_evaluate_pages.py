"""The pages of reports and comparisons at a width of 1280 pixels: no name and no figure is cut or broken over lines."""
import html.parser
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from conftest import ROOT
from evaluate_command import PREDICTIONS, convert, report, run

import trajpack as package

WORDS = [w for s in ("camera", "pose", "state", "keypoints", "action") for w in ("--suite", s)] + ["--set", "up=1"]
LONGEST = 64
SCREEN = 135
MEASURE = """<script>addEventListener('load', () => {
  for (const d of document.querySelectorAll('details')) d.open = true;
  const cells = [...document.querySelectorAll('td, th')].map(c => {
    const range = document.createRange(); range.selectNodeContents(c);
    return {text: c.textContent, lines: new Set([...range.getClientRects()].map(r => Math.round(r.top))).size,
            cut: c.scrollWidth > c.clientWidth + 1 || c.getBoundingClientRect().right > innerWidth + 1}});
  const out = document.createElement('pre'); out.id = 'measured';
  out.textContent = JSON.stringify({page: document.documentElement.scrollWidth, width: innerWidth, cells});
  document.body.append(out); });</script></body>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    world = convert(ROOT / "fixtures" / "wildworld" / "data_part1", folder / "ww")
    for name, model in (("good", "good"), ("bad", "bad"), ("a_model_with_a_long_name_v2", "good")):
        run(world, PREDICTIONS / model, *WORDS, "--horizons", "10,50,80", "-o", folder / f"{name}.json")
    for name in ("good", "bad"):
        run("--rerun", folder / f"{name}.json", "-o", folder / f"{name}.html")
    two, three = (folder / f"{n}.json" for n in ("good", "bad")), sorted(folder.glob("*.json"))
    run("compare", *two, "-o", folder / "two.html")
    run("compare", *three, "-o", folder / "three.html")
    return {p.stem: p for p in folder.glob("*.html")}


@pytest.mark.parametrize("name", ["good", "bad", "two", "three"])
def test_a_browser_shows_every_cell_whole(pages, name, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium")
    (tmp_path / "page.html").write_text(pages[name].read_text().replace("</body>", MEASURE))
    done = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--window-size=1280,900",
         "--virtual-time-budget=3000", "--dump-dom", str(tmp_path / "page.html")], capture_output=True, text=True, timeout=100)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-500:]
    seen = json.loads(html.unescape(found[1]))
    assert seen["page"] <= seen["width"] == 1280 and len(seen["cells"]) > 200
    assert [c["text"] for c in seen["cells"] if c["cut"]] == []
    # Lists of names and sentences may take several lines.
    assert [c["text"] for c in seen["cells"] if c["lines"] > 1 and len(c["text"]) <= LONGEST] == []


class Tables(html.parser.HTMLParser):
    """Rows of cells: class and text."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.cell = [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = [dict(attributes).get("class"), ""]
            self.tables[-1][-1].append(self.cell)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, text):
        if self.cell is not None:
            self.cell[1] += text


@pytest.mark.parametrize("name", ["good", "bad", "two", "three"])
def test_tables_of_figures_fit_a_screen(pages, name):
    """The same without a browser: names and figures do not break, and tables of figures are narrow enough."""
    text = pages[name].read_text()
    assert re.search(r"\.number \{[^}]*white-space: nowrap", text) and re.search(r"\.short \{[^}]*white-space: nowrap", text)
    tables = Tables(text).tables
    assert len(tables) > 1
    for table in tables:
        for row in table:
            assert all(style in ("number", "short") for style, text in row if len(text) <= LONGEST)
        if all(style == "number" for style, _ in table[0][1:]):
            assert sum(2 + max(len(row[c][1]) for row in table) for c in range(len(table[0]))) <= SCREEN or len(table[0]) == 2
    episodes = [t for t in tables if t[0][0][1] == "episode"]
    if name in ("good", "bad"):
        document = json.loads(pages[name].with_suffix(".json").read_text())
        heads = [cell[1] for t in episodes for cell in t[0][1:]]
        names = [m["name"] for m in document["metrics"] if m["episodes"]]
        assert sorted(heads) == sorted(names) and len(names) > 40


def test_the_worst_clips_are_drawn(tmp_path):
    """Of eight episodes four are drawn, two of them the worst, wherever they stand."""
    rng = np.random.default_rng(0)
    with package.create(str(tmp_path / "truth"), rate=10) as truth, package.create(str(tmp_path / "made"), rate=10) as made:
        for number, error in enumerate([1, 1, 9, 1, 1, 7, 1, 2]):
            x = rng.normal(size=50)
            truth.append(f"e{number}", {"s": {"x": x}})
            made.append(f"e{number}", {"s": {"x": x + error}})
    drawn = [f["title"] for f in report(tmp_path / "truth", tmp_path / "made", "--metric", "forecast.mse")["figures"]
             if f["title"].startswith("Forecast of")]
    assert {t.split()[2] for t in drawn if "among the worst" in t} == {"e2", "e5"}
