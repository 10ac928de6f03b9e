"""`trajpack page`: what the page holds of every episode, against numpy, PIL and ffmpeg; hostile names; bounds; a browser."""
import base64
import html.parser
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

SAMPLES = ROOT / "fixtures" / "wildworld" / "data_part1"


def run(trajpack, *arguments, code=0):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done


class Page(html.parser.HTMLParser):
    """The scripts of a page by id, and the tags that stand outside of them."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.text = path.read_text()
        self.scripts, self.tags, self._open = {}, [], None
        self.feed(self.text)
        self.head = json.loads(self.scripts["head"])
        self.episodes = [json.loads(self.scripts[f"e{n}"]) for n in range(len(self.head["episodes"]))]

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "script":
            self._open = dict(attributes).get("id", f"code{len(self.scripts)}")
            self.scripts[self._open] = ""

    def handle_endtag(self, tag):
        if tag == "script":
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.scripts[self._open] += data


def pairs(text):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 2).astype(float)


@pytest.fixture(scope="module")
def ww(trajpack, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "ww"
    run(trajpack, "convert", "--quiet", SAMPLES, out)
    return out


@pytest.fixture(scope="module")
def page(trajpack, ww):
    run(trajpack, "page", ww, "-o", ww.parent / "ww.html")
    return Page(ww.parent / "ww.html")


def test_all_episodes_are_there(page):
    assert [e["id"] for e in page.episodes] == ["000001", "000002", "000003"]
    assert [e["rows"] for e in page.head["episodes"]] == [150, 150, 90]
    assert {s["name"] for s in page.head["streams"]} >= {"state", "camera", "npc", "monster", "rgb", "depth"}
    hp = next(c for c in page.head["channels"] if c["name"] == "monster/hp")
    assert hp["min"] == 2074 and hp["max"] == 2400
    assert page.head["actions"]["channels"] == ["npc/weapon_id", "npc/motion_bank_id", "npc/motion_id"]


def test_entities_are_absent_where_they_are(page):
    hunt = page.episodes[1]
    lanes = {(x["kind"], x["index"]): x for x in hunt["lanes"]}
    assert list(lanes) == [("npc", 0), ("npc", 1), ("monster", 0)]
    assert np.allclose(lanes["monster", 0]["runs"], [[0, 66 / 30], [96 / 30, 150 / 30]])
    assert np.allclose(lanes["npc", 0]["runs"], [[0, 5]])
    curve = pairs(lanes["monster", 0]["c"])
    assert (curve[67:96] == 255).all() and (curve[:66] < 254).all() and (curve[97:] < 254).all()
    assert "monster 0 is absent for 1 s" in page.head["episodes"][1]["odd"]
    # An action lasts from one change of its numbers to the next.
    actions = lanes["npc", 0]["actions"]
    assert actions[0][0] == 0 and actions[-1][1] == pytest.approx(5)
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in zip(actions, actions[1:]))
    listed = {a["text"] for a in page.head["actions"]["top"]}
    assert {a[2] for e in page.episodes for x in e["lanes"] if x["kind"] == "npc" for a in x["actions"]} == listed


def frames_of(sample, stream, numbers, size):
    """Frames as ffmpeg decodes and scales them."""
    select = "+".join(f"eq(n\\,{n})" for n in numbers)
    gray = stream == "depth.mkv"
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", SAMPLES / sample / stream, "-vf", f"select={select},scale={size[0]}:{size[1]}",
         "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray" if gray else "rgb24", "-"],
        check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(len(numbers), size[1], size[0], 1 if gray else 3)


def test_pictures_are_the_frames_that_they_say(page):
    image = pytest.importorskip("PIL.Image")
    for sample, episode in zip(("000001", "000002"), page.episodes):
        rgb, depth = episode["strips"]
        assert (rgb["name"], depth["name"]) == ("rgb", "depth") and rgb["frames"] == [12, 37, 62, 87, 112, 137]
        assert np.allclose(rgb["times"], np.array(rgb["frames"]) / 30)
        for strip, file in ((rgb, "rgb.mp4"), (depth, "depth.mkv")):
            shown = np.array(image.open(io.BytesIO(base64.b64decode(strip["src"].split(",")[1]))))
            assert shown.shape == (strip["h"], strip["w"] * 6, 3)
            want = frames_of(sample, file, strip["frames"], (strip["w"], strip["h"]))
            tiles = shown.reshape(strip["h"], 6, strip["w"], 3).transpose(1, 0, 2, 3).astype(float)
            if file == "rgb.mp4":
                assert np.abs(tiles - want).mean() < 6
            else:                                     # brighter where the samples are larger
                order = [np.corrcoef(np.sqrt(w[..., 0]).ravel(), t.mean(-1).ravel())[0, 1] for w, t in zip(want, tiles)]
                assert min(order) > .95
    assert page.episodes[2]["strips"] == []


def test_bones_are_where_the_camera_sees_them(page, ww):
    sys.path.insert(0, str(ROOT / "tools"))
    import trajpack
    from trajpack import camera as tc
    episode = trajpack.open(ww).episode("000002")
    cam = episode["camera"]
    strip = page.episodes[1]["strips"][0]
    edges = json.loads((SAMPLES / "skeleton_edges.json").read_text())
    for frame, shown in zip(strip["frames"], strip["bones"]):
        want = {}
        for stream in ("skeleton/npc", "skeleton/em_37", "skeleton/wp_3", "skeleton/wp_7"):
            for table in episode[stream]:
                row = frame - round(float(table.times[0]) * 30)
                if stream == "skeleton/em_37":
                    rows = np.flatnonzero(np.isclose(table.times, frame / 30, atol=1e-6))
                    if not len(rows):
                        continue
                    row = int(rows[0])
                bones = tc.project_bones(table["joints"][row], edges[stream.split("/")[1]], cam["K"][frame],
                                         (cam["pos"][frame], cam["rot"][frame]), **tc.conventions(cam["rot"]))
                bones = bones[np.isfinite(bones).all((1, 2))]
                if len(bones):
                    want.setdefault(len(bones), []).append(bones.reshape(-1) * 1000 / 320)
        found = [np.array(numbers) for _, numbers in shown]
        assert sum(len(v) for v in want.values()) == len(found)
        for numbers in found:
            near = min(np.abs(np.clip(np.round(w), -20000, 20000) - numbers).max() for w in want[len(numbers) // 4])
            assert near <= 1


def test_curves_hold_every_extreme(trajpack, tmp_path):
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(size=5000))
    x[1234] = 400                                             # a spike of one row
    x[3000:3500] = np.nan
    lines = [f"{i / 100:.2f},{'' if np.isnan(v) else repr(float(v))}" for i, v in enumerate(x)]
    (tmp_path / "x.csv").write_text("\n".join(["time,x", *lines]) + "\n")
    run(trajpack, "convert", "--quiet", tmp_path / "x.csv", tmp_path / "d", "--time", "time")
    run(trajpack, "page", tmp_path / "d", "-o", tmp_path / "d.html")
    seen = Page(tmp_path / "d.html")
    (plot,) = seen.episodes[0]["plots"]
    curve = pairs(plot["c"][0])
    assert plot["high"] == 400 and plot["low"] == np.nanmin(x)
    bins = len(curve)
    bin_of = np.minimum((np.arange(5000) / 100 * bins / 50 + 1e-6).astype(int), bins - 1)
    unit = (plot["high"] - plot["low"]) / 253
    for b in range(bins):
        own = x[bin_of == b]
        if np.isnan(own).all():
            assert (curve[b] == 255).all()
        else:
            want = (np.array([np.nanmin(own), np.nanmax(own)]) - plot["low"]) / unit
            assert np.abs(curve[b] - want).max() <= 0.51
    assert "series/x: 10.0 % not observed" in seen.head["episodes"][0]["odd"]


def test_a_state_against_itself(trajpack, tmp_path):
    rng = np.random.default_rng(3)
    points = rng.normal(size=(400, 3))
    np.save(tmp_path / "p.npy", points)
    run(trajpack, "convert", "--quiet", tmp_path / "p.npy", tmp_path / "d")
    run(trajpack, "page", tmp_path / "d", "-o", tmp_path / "d.html")
    seen = Page(tmp_path / "d.html")
    paths = seen.episodes[0]["paths"]
    ranges = np.array(paths["ranges"])
    shown = np.frombuffer(base64.b64decode(paths["lines"][0]["p"]), "<u2").reshape(-1, 3) / 65534
    np.testing.assert_allclose(ranges[:, 0] + shown * (ranges[:, 1] - ranges[:, 0]), points, atol=2e-4)
    assert seen.head["axes"] == ["x", "y", "z"] and seen.head["map"] is False


def test_what_is_far_from_the_others_is_said(trajpack, tmp_path):
    rng = np.random.default_rng(4)
    (tmp_path / "s").mkdir()
    for k in range(12):
        x = rng.normal(size=1000 if k == 5 else 100) + (500 if k == 7 else 0)
        (tmp_path / "s" / f"e{k:02d}.csv").write_text("x\n" + "\n".join(map(repr, map(float, x))) + "\n")
    run(trajpack, "convert", "--quiet", tmp_path / "s", tmp_path / "d")
    run(trajpack, "page", tmp_path / "d", "-o", tmp_path / "d.html")
    odd = {e["id"]: e["odd"] for e in Page(tmp_path / "d.html").head["episodes"]}
    assert odd["e05"][0].startswith("1000 rows, where the median is 100") or odd["e05"][0].startswith("1,000 rows")
    assert any("mean 5" in text for text in odd["e07"])
    assert [k for k, v in odd.items() if v] == ["e05", "e07"]


NAMES = ["<script>alert(1)<!--", "a\u202eb & \"c'", "x]]>", "é <b>ü"]


def test_names_are_text(trajpack, tmp_path):
    sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
    folder = tmp_path / "<script>alert(2)"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.csv").write_text('x,"</script><img src=x onerror=alert(3)>","tab\there"\n'
                                            + "".join(f"{i},{i * i},{i % 7}\n" for i in range(40)))
    values = tmp_path / "v.csv"
    values.write_text("id,label\n" + "".join(f'"{n.replace(chr(34), chr(34) * 2)}","<script>alert(4)</script>\x1b[31m"\n'
                                             for n in NAMES))
    done = subprocess.run([trajpack, "convert", "--quiet", folder, tmp_path / "<i>d", "--values", values],
                          capture_output=True, text=True)
    if done.returncode:                                       # a channel may not be called so: then without it
        for name in NAMES:
            (folder / f"{name}.csv").write_text("x,y<b>\n" + "".join(f"{i},{i * i}\n" for i in range(40)))
        run(trajpack, "convert", "--quiet", folder, tmp_path / "<i>d", "--values", values)
    run(trajpack, "page", tmp_path / "<i>d", "-o", tmp_path / "d.html")
    seen = Page(tmp_path / "d.html")
    assert sorted(seen.tags) == sorted(["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "noscript",
                                        "p", "main", *["script"] * (len(NAMES) + 2)][:len(seen.tags)])
    assert seen.tags.count("script") == len(NAMES) + 2 and "img" not in seen.tags and "b" not in seen.tags
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", seen.text)
    for name, text in seen.scripts.items():
        if not name.startswith("code"):
            assert "<" not in text and ">" not in text, name
    assert {e["id"] for e in seen.head["episodes"]} >= {NAMES[0], NAMES[3]}
    assert "default-src 'none'" in seen.text


def test_pictures_beside_the_page(trajpack, ww, tmp_path):
    image = pytest.importorskip("PIL.Image")
    done = json.loads(run(trajpack, "page", ww, "-o", tmp_path / "my page.html", "--folder", "--json").stdout)
    seen = Page(tmp_path / "my page.html")
    assert {s["src"] for e in seen.episodes for s in e["strips"]} == {
        f"my%20page_files/{n}-{k}.jpg" for n in (0, 1) for k in (0, 1)}
    files = sorted((tmp_path / "my page_files").iterdir())
    assert len(files) == 4 and sum(f.stat().st_size for f in files) == done["picture_bytes"]
    assert done["bytes"] == (tmp_path / "my page.html").stat().st_size
    for file in files:
        image.open(file).load()
    refused = run(trajpack, "page", ww, "-o", tmp_path / "my page.html", code=2)
    assert "is there already" in refused.stderr
    (tmp_path / "my page.html").unlink()
    refused = run(trajpack, "page", ww, "-o", tmp_path / "my page.html", "--folder", code=2)
    assert "my page_files: is there already" in refused.stderr
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".tmp")]


def test_the_page_stays_below_its_limit(trajpack, ww, tmp_path):
    sizes, frames = [], []
    for limit in (1000, 250, 160, 110):
        out = tmp_path / f"{limit}.html"
        done = run(trajpack, "page", ww, "-o", out, "--limit", f"{limit}KiB")
        sizes.append(out.stat().st_size)
        assert sizes[-1] < limit * 1024 and "larger than --limit" not in done.stderr
        frames.append([len(s["frames"]) * s["w"] for s in Page(out).episodes[0]["strips"]])
    assert sizes == sorted(sizes, reverse=True) and frames[0] > frames[-1]
    done = run(trajpack, "page", ww, "-o", tmp_path / "least.html", "--limit", "10KiB")
    assert "larger than --limit" in done.stderr and "no room for pictures" in done.stderr


def test_what_cannot_be_shown_is_said(trajpack, ww, tmp_path):
    run(trajpack, "convert", "--quiet", SAMPLES, tmp_path / "linked", "--video", "link")
    done = run(trajpack, "page", tmp_path / "linked", "-o", tmp_path / "l.html")
    assert "2 episodes without pictures" in done.stderr and "--media" in done.stderr
    assert "--media" in Page(tmp_path / "l.html").head["blind"]
    done = run(trajpack, "page", tmp_path / "linked", "-o", tmp_path / "m.html", "--media", SAMPLES.parent, "--quiet")
    assert done.stderr == "" and len(Page(tmp_path / "m.html").episodes[0]["strips"]) == 2
    run(trajpack, "page", ww, "-o", tmp_path / "one.html", "-e", "000002", "--no-pictures")
    seen = Page(tmp_path / "one.html")
    assert [e["id"] for e in seen.episodes] == ["000002"] and seen.episodes[0]["strips"] == []
    # A damaged shard gives its error and no page.
    shutil.copytree(ww, tmp_path / "bad")
    shard = tmp_path / "bad" / "shard-000000.h5"
    content = bytearray(shard.read_bytes())
    for at in range(5000, 40000, 3):
        content[at] ^= 0x55
    shard.write_bytes(content)
    run(trajpack, "page", tmp_path / "bad", "-o", tmp_path / "bad.html", "--folder", code=1)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(("bad.html", "bad_files", ".tmp"))]


MEASURE = """<script>setTimeout(() => { const out = document.createElement("pre"); out.id = "measured";
out.textContent = JSON.stringify({ drawn: document.querySelectorAll(".ep canvas").length,
  names: [...document.querySelectorAll(".ep header b")].map(e => e.textContent),
  wide: document.documentElement.scrollWidth, inked: [...document.querySelectorAll(".time canvas")].map(c => {
    const p = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0;
    for (let i = 3; i < p.length; i += 4) n += p[i] > 0; return n / (c.width * c.height); }) });
document.body.append(out); }, 2000)</script></body>"""


@pytest.mark.parametrize(("tall", "names"), [(900, ["000001"]), (7000, ["000001", "000002", "000003"])])
def test_a_browser_draws_what_is_in_sight(page, tmp_path, tall, names):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium")
    (tmp_path / "page.html").write_text(page.text.replace("</body>", MEASURE))
    done = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", f"--window-size=1280,{tall}",
         "--virtual-time-budget=6000", "--dump-dom", str(tmp_path / "page.html")], capture_output=True, text=True, timeout=100)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-500:]
    seen = json.loads(html.unescape(found[1]))
    # At least what is in sight, and not what is far below.
    assert seen["names"][:len(names)] == names and (tall > 900 or "000003" not in seen["names"])
    assert seen["wide"] <= 1280 and seen["drawn"] >= 2 * len(names) - 1 and min(seen["inked"]) > .2
