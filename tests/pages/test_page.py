"""The page in a real browser: no request, no script from a record; keyboard, contrast, width and print work."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from backbone_bench.claims.data.checks import NeedsCheck
from backbone_bench.claims.data.papers import Claim, ClaimEntry, ClaimsPaper
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.pages.page import page
from backbone_bench.records import Latencies
from tests.conftest import Golden
from tests.pages.browser import CHROMIUM, Browser, browser
from tests.report.samples import EVERY, NASTY, NO_EVENTS, NO_GRAPH, RESNET50, VOVNET39, latency, record

in_browser = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium: apt-get install chromium"
)
NOISY = record("noisy", 3_000_000_000, 0.04, latency=Latencies(latency(0.04, n=60), NO_EVENTS, NO_GRAPH))
CLAIM = Claim(
    id="an-id", sentence=NASTY, where=NASTY, expects=ClaimVerdict.HOLDS, check=(NeedsCheck(kind="needs", needs=NASTY),)
)
OUTCOME = ClaimResult(
    ClaimEntry(ClaimsPaper(key="k", title=NASTY, short=NASTY, claim=(CLAIM,)), CLAIM),
    (
        CheckResult(
            CLAIM.check[0], CheckFinding(ClaimVerdict.HOLDS, expected="1", found="2", reason=NASTY, working=(NASTY,))
        ),
    ),
)


@pytest.fixture(scope="module")
def text() -> str:
    return page((*EVERY, NOISY), outcomes=[OUTCOME])


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def shown(window: Browser, text: str, tmp_path: Path) -> Browser:
    """The page, opened from a file, with every `details` element open."""
    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    window.emulate()
    window.events.clear()
    window.open(file)
    for _ in range(2):  # what a detail draws has details too
        window.run("dispatchEvent(new Event('beforeprint'))")
    return window


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_whatever_a_model_is_called_it_is_text(text: str):
    tags = Tags(text)
    assert [attributes for tag, attributes in tags.tags if tag == "script"] == [
        {"type": "application/json", "id": "parts"},
        {},
    ]
    assert not [attribute for _, attributes in tags.tags for attribute in attributes if attribute.startswith("on")]
    assert any("<script>alert(1)</script>\\n**b**" in piece for piece in tags.text)
    assert "\x1b" not in text


def test_nothing_is_loaded_from_anywhere(text: str):
    links = {"src", "srcset", "data", "poster", "action", "xlink:href"}
    for tag, attributes in Tags(text).tags:
        assert not links & attributes.keys()
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
        assert tag not in ("link", "iframe", "object", "embed", "img")
    assert "url(" not in text
    assert "@import" not in text


def test_every_section_that_the_page_names_is_there(text: str):
    tags = Tags(text).tags
    ids = {attributes.get("id") for _, attributes in tags}
    targets = {(attributes["href"] or "").removeprefix("#") for tag, attributes in tags if tag == "a"}
    assert targets <= ids
    assert targets == {"summary", "plots", "claims", "layers", "samples", "environments", "rerun"}


def test_no_two_regions_of_the_page_have_the_same_name(text: str):
    """A screen reader lists the regions by name."""
    labels = re.findall(r'role="region" aria-labelledby="(\w[\w-]*)"', text)
    named = [re.search(rf'id="{label}">(.*?)</p>', text, re.DOTALL) for label in labels]
    assert len({name[1] for name in named if name}) == len(labels) > 1


def test_a_page_of_one_record_has_no_empty_section():
    targets = [attributes["href"] for tag, attributes in Tags(page([RESNET50])).tags if tag == "a"]
    assert "#claims" not in targets
    assert "#plots" not in targets


@in_browser
def test_the_browser_finds_nothing_to_complain_about_and_asks_for_nothing(shown: Browser):
    shown.run("scrollTo(0, document.body.scrollHeight)")
    assert shown.received("Runtime.exceptionThrown") == []
    assert shown.received("Log.entryAdded") == []
    assert shown.received("Runtime.consoleAPICalled") == []
    assert shown.received("Page.javascriptDialogOpening") == []
    requests = [event["request"]["url"] for event in shown.received("Network.requestWillBeSent")]
    assert len(requests) == 1
    assert requests[0].startswith("file:")


HEAD = "Array.from(document.querySelectorAll('.records thead tr:last-child button')).find(b => b.textContent === {!r})"
COLUMN = "Array.from({head}.closest('table').tBodies[0].rows, row => row.cells[{head}.parentElement.cellIndex])"


@in_browser
def test_a_heading_sorts_by_number_and_puts_what_is_missing_last(shown: Browser):
    head = HEAD.format("published top-1 (%)")
    for direction in (1, -1):
        shown.run(f"{head}.click()")
        cells = shown.run(f"{COLUMN.format(head=head)}.map(cell => [cell.textContent, cell.dataset.v])")
        known = [direction * float(value) for _, value in cells if value is not None]
        assert all(text.startswith("–") for text, _ in cells[len(known) :])
        assert 0 < len(known) < len(cells)
        assert known == sorted(known)
    sorted_by = "Array.from(document.querySelectorAll('table th[aria-sort]'), h => h.getAttribute('aria-sort'))"
    assert shown.run(sorted_by) == ["descending"]


@in_browser
def test_the_filter_leaves_the_rows_that_contain_its_text(shown: Browser):
    shown.run("document.getElementById('filter').focus()")
    for letter in "VOV":
        shown.call("Input.insertText", text=letter)
    rows = "Array.from(document.querySelectorAll('#summary tbody tr'))"
    visible = shown.run(f"{rows}.filter(row => row.offsetParent).map(row => row.cells[0].textContent)")
    assert set(visible) == {"vovnet39"}
    assert shown.run("document.getElementById('found').textContent") == "3 of 9"


@in_browser
@pytest.mark.parametrize("width", [420, 1400, 2600])
def test_a_row_is_one_line_high_and_its_model_stays_in_sight(shown: Browser, width: int):
    shown.emulate(width=width)
    rows = "Array.from(document.querySelectorAll('.records tbody tr'), row => row.offsetHeight)"
    assert max(shown.run(rows)) <= 30
    shown.run("document.querySelector('.records').parentElement.scrollLeft = 10000")
    left = "document.querySelector('.records tbody th').getBoundingClientRect().left"
    assert shown.run(left) >= 0


@in_browser
def test_a_group_of_columns_folds_and_opens(shown: Browser):
    click = "document.querySelector('.fold[data-group=cost]').click()"
    state = (
        "(() => { const fold = document.querySelector('.fold[data-group=cost]');"
        " const cells = fold.closest('table').querySelectorAll('tbody tr:first-child .f-cost');"
        " return [fold.getAttribute('aria-expanded'), Array.from(cells).filter(cell => cell.offsetParent).length,"
        " fold.parentElement.colSpan - fold.parentElement.dataset.stays]; })()"
    )
    folded, opened = sorted((shown.run(state), (shown.run(click), shown.run(state))[1]), key=lambda one: one[0])
    assert folded == ["false", 0, 0]
    assert opened[:2] == ["true", opened[2]]
    assert opened[2] > 1


@in_browser
def test_a_wide_screen_opens_more_groups_and_a_table_that_fits_needs_no_scrolling(
    window: Browser, text: str, tmp_path: Path
):
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    opened = []
    for width in (420, 1400, 2600):
        window.emulate(width=width)
        window.open(tmp_path / "report.html")
        opened.append(window.run("document.querySelectorAll('.fold[aria-expanded=true]').length"))
    assert opened == sorted(opened)
    assert opened[0] < opened[-1]
    assert window.run("Array.from(document.querySelectorAll('.records')).every(table =>"
                      " table.offsetWidth <= table.parentElement.clientWidth)")  # fmt: skip


@in_browser
def test_a_detail_is_drawn_when_it_is_opened_and_only_once(window: Browser, text: str, tmp_path: Path):
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    window.open(tmp_path / "report.html")
    drawn = "document.querySelectorAll('#samples svg').length"
    assert window.run(drawn) == 0
    first = "document.querySelector('#samples details')"
    once = window.run(
        f"{first}.querySelector('summary').click(), new Promise(done => setTimeout(() => done({drawn}), 99))"
    )
    assert once > 0
    window.run(f"{first}.open = false, new Promise(done => setTimeout(done, 99))")
    assert window.run(f"{first}.open = true, new Promise(done => setTimeout(() => done({drawn}), 99))") == once


@in_browser
def test_without_a_script_it_is_still_a_table_with_every_column(window: Browser, text: str, tmp_path: Path):
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    window.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.open(tmp_path / "report.html")
    finally:
        window.call("Emulation.setScriptExecutionDisabled", value=False)
    cells = "Array.from(document.querySelector('.records tbody tr').cells)"
    assert window.run(f"{cells}.every(cell => cell.offsetParent)")
    assert window.run(f"{cells}.length") > 10


def test_the_page_says_that_a_figure_is_of_one_image(text: str):
    assert "All quantities are per image" in text
    assert "All quantities are per image" not in page([RESNET50])


def test_the_operations_of_a_network_are_there_once(text: str):
    """However often, at whatever batch and on whatever machine it ran."""
    parts = json.loads(text.partition('id="parts">')[2].partition("</script>")[0])
    networks = {(made.workload.model, str(made.workload.arguments)) for made in (*EVERY, NOISY)}
    assert sum(key.startswith("layers-") for key in parts) == len(networks)


@in_browser
def test_every_plot_has_marks_inside_its_frame(shown: Browser):
    outside = shown.run("""Array.from(document.querySelectorAll('svg[tabindex]'), plot => {
        const frame = plot.getBoundingClientRect();
        const marks = Array.from(plot.querySelectorAll('.mark, .line'), mark => mark.getBoundingClientRect());
        return marks.length && frame.width > 100 && marks.every(m => m.left >= frame.left && m.right <= frame.right
            && m.top >= frame.top && m.bottom <= frame.bottom);
    }).filter(fits => !fits).length""")
    assert outside == 0
    assert shown.run("document.querySelectorAll('svg[tabindex]').length") > 10


@in_browser
def test_labels_of_a_plot_cover_neither_each_other_nor_a_mark(shown: Browser):
    collisions = shown.run("""Array.from(document.querySelectorAll('svg[tabindex]')).flatMap(plot => {
        const boxes = (kind) => Array.from(plot.querySelectorAll(kind), part => part.getBoundingClientRect());
        const [labels, marks] = [boxes('.label'), boxes('path.mark')];
        const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
            && a.top < b.bottom - 3 && b.top < a.bottom - 3;
        return labels.filter((one, i) => marks.some(m => meet(one, m)) || labels.slice(i + 1).some(o => meet(one, o)));
    }).length""")
    assert collisions == 0


CONTRAST = """(() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const ground = (part) => {
        for (; part; part = part.parentElement) {
            const colour = parse(getComputedStyle(part).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    const judge = (part, colour, enough) => {
        if (ratio(parse(colour), ground(part)) < enough) faint.push(part.outerHTML.slice(0, 120));
    };
    for (const part of document.querySelectorAll('body *')) {
        const own = Array.from(part.childNodes).some(node => node.nodeType === 3 && node.textContent.trim());
        const style = getComputedStyle(part);
        if (part.tagName === 'title' || part.tagName === 'SCRIPT') continue;
        if (own) judge(part, part.closest('svg') ? style.fill : style.color, 4.5);
        if (part.matches('.mark:not(.hollow)')) judge(part, style.fill, 3);
        if (part.matches('.mark.hollow, .line')) judge(part, style.stroke, 3);
    }
    return faint;
})()"""


@in_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_their_ground(shown: Browser, dark: bool):
    shown.emulate(dark=dark)
    ground = shown.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")
    assert shown.run(CONTRAST) == []


@in_browser
def test_the_keyboard_reaches_everything_and_shows_where_it_is(shown: Browser):
    focusable = "a[href], button, input, summary, [tabindex='0']"
    assert shown.run(
        "document.querySelectorAll('.fold[aria-expanded=false]').forEach(fold => fold.click()), true"
    )  # hidden columns too
    expected = shown.run(f'document.querySelectorAll("{focusable}").length')
    reached = set()
    for _ in range(expected):
        shown.press("Tab", 9)
        reached.add(shown.run(f'Array.from(document.querySelectorAll("{focusable}")).indexOf(document.activeElement)'))
        assert shown.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == set(range(expected))


@in_browser
def test_a_heading_and_a_plot_obey_the_keyboard(shown: Browser):
    shown.run("document.querySelector('thead tr:last-child button').focus()")
    shown.press("Enter", 13, text="\r")
    assert shown.run("document.querySelector('th[aria-sort]').textContent") == "model"
    shown.run("document.querySelector('svg[tabindex]').focus()")
    values = []
    for key, code in (("ArrowRight", 39), ("ArrowRight", 39), ("ArrowLeft", 37)):
        shown.press(key, code)
        values.append(shown.run("document.querySelector('figure .pointed').textContent"))
    assert values[0] == values[2] != values[1]
    assert "ms per image" in values[0]


@in_browser
@pytest.mark.parametrize("width", [360, 768, 1600])
def test_the_page_itself_never_scrolls_sideways(shown: Browser, width: int):
    shown.emulate(width=width)
    assert shown.run("document.scrollingElement.scrollWidth") <= width


@in_browser
def test_in_print_everything_is_open_dark_on_white(shown: Browser):
    shown.run("document.querySelectorAll('details').forEach(part => part.open = false)")
    shown.emulate(dark=True, media="print")
    shown.run("dispatchEvent(new Event('beforeprint'))")
    assert shown.run("Array.from(document.querySelectorAll('details')).every(part => part.open)")
    assert shown.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert shown.run("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert len(shown.call("Page.printToPDF")["data"]) > 10_000


def test_no_heading_skips_a_level(text: str):
    levels = [int(tag[1]) for tag, _ in Tags(text).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert max(after - before for before, after in pairwise(levels)) == 1


def test_the_claims_on_a_page_begin_with_the_verdict(text: str):
    table = text.partition('<section id="claims"')[2].partition("<tbody>")[0]
    assert re.findall(r"<button type=\"button\">(\w+)", table)[:2] == ["verdict", "claim"]


def test_the_page_looks_like_this(golden: Golden):
    golden("page.html", page([RESNET50, VOVNET39]))


def test_two_hundred_records_fit_in_five_megabytes():
    many = [replace(made, id=str(n), workload=replace(made.workload, seed=n)) for n in range(25) for made in EVERY]
    assert len(many) == 200
    assert len(page(many).encode()) < 5_000_000
