"""report.html in a real headless Chromium: it opens, filters, pages, searches, runs nothing foreign, reads well."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_runs
from PIL import Image, ImageStat
from playwright.sync_api import Browser, Page, expect, sync_playwright

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# A loaded machine is slow; nothing here is about time.
PATIENCE_MS = 120_000
MANY = 100_000

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        reason = "no Chromium is installed; ./setup_cpu.sh browser installs it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, run_script: Callable[..., Any]) -> Path:
    run = report_runs.write_run(tmp_path_factory.mktemp("browsed") / "run ü")
    done = run_script("evaluation/report.py", "--run-dir", run, "--report-to", "none")
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a report; at the end no page may have said or asked for anything but its own file."""
    complaints: list[str] = []
    pages: list[Page] = []

    def open_report(run: Path, *, width: int = 1280, dark: bool = False) -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        pages.append(page)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        address = (run / "report.html").as_uri()
        page.on("request", lambda request: complaints.extend({request.url} - {address}))
        page.goto(address)
        page.wait_for_selector(".row-card")
        return page

    yield open_report
    for page in pages:
        page.close()
    assert complaints == []


def rows_of(run: Path, name: str) -> list[dict[str, Any]]:
    with (run / "pairs" / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def choose(page: Page, name: str, starts: str) -> None:
    """Chooses the option of a filter that starts with some words."""
    options = page.locator(f"select[name={name}] option").all_text_contents()
    page.select_option(
        f"select[name={name}]", label=next(text for text in options if text.startswith(starts))
    )


def expect_count(page: Page, count: int) -> None:
    """The status names this many rows."""
    expect(page.locator("#row-count")).to_contain_text(f"of {count:,} rows", timeout=PATIENCE_MS)


def test_it_opens_with_all_sections_charts_and_the_first_rows(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    titles = page.locator("h2").all_text_contents()
    assert titles[0] == "From prompts to pairs" and "Evaluation" in titles and len(titles) == 9
    assert "Training: sft" in titles and titles.index("Training: sft") < titles.index("Training: lndpo")
    charts = page.locator("svg.chart")
    assert charts.count() >= 18
    sizes = [chart.bounding_box() for chart in charts.all()]
    assert all(size and size["width"] > 250 and size["height"] > 60 for size in sizes)
    expect_count(page, len(rows_of(run_dir, "dpo.jsonl")) + len(rows_of(run_dir, "sft.jsonl")))
    assert page.locator(".row-card").count() == 10


def test_filters_leave_the_rows_that_the_files_have(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    pairs = rows_of(run_dir, "dpo.jsonl")
    choose(page, "kind", "preference pairs")
    expect_count(page, len(pairs))
    choose(page, "dataset", "nvidia/OpenMathInstruct-2")
    maths = [pair for pair in pairs if pair["dataset"] == "nvidia/OpenMathInstruct-2"]
    expect_count(page, len(maths))
    middle = sorted(pair["margin"] for pair in maths)[len(maths) // 2]
    page.fill("input[name=marginLow]", f"{middle - 1e-6:.7f}")
    wide = [pair for pair in maths if pair["margin"] >= middle - 1e-6]
    assert 0 < len(wide) < len(maths)
    expect_count(page, len(wide))
    page.fill("input[name=marginHigh]", f"{middle - 1e-5:.7f}")
    expect(page.locator("#row-count")).to_contain_text("No row fits")
    page.click("button[type=reset]")
    expect_count(page, len(pairs) + len(rows_of(run_dir, "sft.jsonl")))


def test_source_domain_and_checks_can_be_filtered(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    rows = rows_of(run_dir, "dpo.jsonl") + rows_of(run_dir, "sft.jsonl")
    choose(page, "source", "bob <i>")
    expect_count(page, sum(row["source"] == "bob <i>" for row in rows))
    choose(page, "source", "all")
    choose(page, "domain", "code")
    expect_count(page, sum(row["domain"] == "code" for row in rows))
    choose(page, "check", "chosen right, rejected wrong")
    expect_count(page, sum(row["domain"] == "code" and "chosen" in row for row in rows))
    assert page.locator(".answer.chosen .badge.good").first.text_content() == "✓ pass 1/1"
    assert page.locator(".answer.rejected .badge.bad").first.text_content() == "✗ fail 0/1"
    page.locator(".answer.rejected summary").first.click()
    assert page.locator(".answer.rejected details code").nth(1).text_content() == "<b>4</b>"


def test_rows_are_ordered_by_margin_either_way(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    choose(page, "kind", "preference pairs")
    margins = sorted(pair["margin"] for pair in rows_of(run_dir, "dpo.jsonl"))
    for order, first in (("margin, largest first", margins[-1]), ("margin, smallest first", margins[0])):
        choose(page, "order", order)
        shown = page.locator(".row-card > header").first
        expect(shown).to_contain_text(f"Margin{first:.4f}")


def test_pages_go_forth_and_back_and_show_each_row_once(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    count = len(rows_of(run_dir, "dpo.jsonl")) + len(rows_of(run_dir, "sft.jsonl"))
    pages = -(-count // 10)
    pager = page.locator("[data-pager]").first
    seen: list[str] = []
    for number in range(1, pages + 1):
        expect(page.locator("#row-count")).to_contain_text(f"{10 * number - 9}–")
        seen += [card.get_attribute("data-row") or "" for card in page.locator(".row-card").all()]
        if number < pages:
            pager.get_by_label("Next page").click()
    assert sorted(map(int, seen)) == list(range(count))
    assert pager.get_by_label("Next page").is_disabled()
    pager.get_by_label("First page").click()
    expect(page.locator("#row-count")).to_contain_text("1–10 of")
    number_field = pager.get_by_label("Page", exact=True)
    number_field.fill("2")
    number_field.press("Enter")
    expect(page.locator("#row-count")).to_contain_text("11–20 of")
    choose(page, "size", "25")
    expect(page.locator("#row-count")).to_contain_text("1–25 of")
    assert page.locator(".row-card").count() == 25


def test_search_finds_words_of_prompts_and_answers_whatever_their_case(
    run_dir: Path, open_page: Open
) -> None:
    page = open_page(run_dir)
    rows = rows_of(run_dir, "dpo.jsonl") + rows_of(run_dir, "sft.jsonl")

    def holding(words: str) -> int:
        """Rows that hold the words in a turn, without the fields' names around them."""
        texts = [
            [
                turn["content"]
                for part in ("messages", "prompt", "chosen", "rejected")
                for turn in row.get(part, [])
            ]
            for row in rows
        ]
        return sum(any(words.lower() in text.lower() for text in row) for row in texts)

    for words in (report_runs.SEARCHED.upper(), "code question 3", "\\frac{-b \\pm", 'onerror="document'):
        assert 0 < holding(words) < len(rows)
        page.fill("input[name=query]", words)
        expect_count(page, holding(words))
    page.fill("input[name=query]", "words that nobody wrote")
    expect(page.locator("#row-count")).to_contain_text("No row fits")
    page.fill("input[name=query]", "")
    expect_count(page, len(rows))


def test_formulas_are_set_code_is_coloured_and_money_is_left_alone(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    choose(page, "domain", "math")
    first = page.locator(".answer").first
    assert first.locator("math mfrac").count() >= 1
    assert first.locator("math msqrt").count() == 1
    assert first.locator(".formula.display").count() == 2  # \[ \] and align*
    assert first.locator("code.no-formula").text_content() == "$\\notacommand{1}$"
    assert (first.locator("math").first.bounding_box() or {"width": 0})["width"] > 40
    page.check("input[name=plain]")
    expect(page.locator("#row-list math")).to_have_count(0)
    expect(page.locator(".answer").first).to_contain_text("$\\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}$")
    page.uncheck("input[name=plain]")
    choose(page, "domain", "code")
    code = page.locator(".answer.chosen pre.code").first
    assert code.text_content() == report_runs.CODE.split("```")[1].removeprefix("python\n").removesuffix("\n")
    colours = [code.locator(f".token.{name}").first for name in ("keyword", "comment")]
    styles = [token.evaluate("element => getComputedStyle(element).color") for token in colours]
    assert styles[0] != styles[1] != code.evaluate("element => getComputedStyle(element).color")
    choose(page, "domain", "instruction")
    prose = page.locator(".answer-text", has_text="Plain prose").first
    assert "and $5 for two or $6 for three." in (prose.text_content() or "")
    assert prose.locator("strong").first.text_content() == "bold words"


def test_hostile_text_is_shown_and_never_runs(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    choose(page, "domain", "instruction")
    choose(page, "size", "50")
    expect(page.locator(".row-card")).not_to_have_count(10)
    shown = page.locator("#row-list").text_content() or ""
    assert "<script>document.title='owned'</script>" in shown
    assert "onerror=\"document.title='owned'\"" in shown
    assert page.title() == "run ü – FuseChat-3.0 run report"
    for foreign in ("script", "img", "svg", "a", "iframe", "[onerror]", "[onload]", "[href]", ".top"):
        assert page.locator(f"#row-list {foreign}").count() == 0, foreign


def test_the_policy_refuses_markup_and_scripts_that_get_in_all_the_same(
    run_dir: Path, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto((run_dir / "report.html").as_uri())
    refused = page.evaluate(
        "() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'went in' }"
        " catch (error) { return error.name } }"
    )
    assert refused == "TypeError"
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'x.png' }))")
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_its_width_and_every_text_has_contrast(
    width: int, dark: bool, run_dir: Path, tmp_path: Path, open_page: Open
) -> None:
    page = open_page(run_dir, width=width, dark=dark)
    choose(page, "size", "25")
    expect(page.locator(".row-card")).to_have_count(25)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # Nothing sticks out of its box, but for what scrolls by itself.
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(LOW_CONTRAST) == []
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('svg.chart text')].map("
        "text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))"
    )
    assert smallest >= 9.5  # pixels
    chosen, rejected = page.locator(".answer.chosen").first, page.locator(".answer.rejected").first
    boxes = [box for answer in (chosen, rejected) if (box := answer.bounding_box())]
    side_by_side = boxes[0]["y"] == boxes[1]["y"]
    assert side_by_side == (width == 1280)
    picture = tmp_path / "page.png"
    page.screenshot(path=picture)
    brightness = ImageStat.Stat(Image.open(picture).convert("L")).mean[0]
    assert (brightness < 80) if dark else (brightness > 200)


STICKING_OUT = """
() => [...document.querySelectorAll("main *, header *")].filter((element) => {
  const box = element.getBoundingClientRect();
  if (!box.width || element.closest("svg, math, thead, pre.code, .scroll, .formula")) return false;
  return box.left < 0 || box.right > innerWidth + 0.5;
}).map((element) => element.outerHTML.slice(0, 120))
"""

# Texts of a chart that are not wholly on its drawing.
CUT_OFF = """
() => [...document.querySelectorAll("svg.chart text")].filter((text) => {
  const box = text.getBoundingClientRect(), drawing = text.closest("svg").getBoundingClientRect();
  return box.left < drawing.left - 0.5 || box.right > drawing.right + 0.5;
}).map((text) => text.outerHTML)
"""

# WCAG's ratio of the text's colour to that of the nearest painted background; 4.5 is its AA for body text.
LOW_CONTRAST = """
() => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const parts = channels(colour);
      if (parts.length === 3 || parts[3] > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, style, title, noscript, option, :disabled")) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    const [one, other] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.className} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...new Set(low)];
}
"""


def test_a_line_chart_tells_the_values_under_the_pointer(run_dir: Path, open_page: Open) -> None:
    page = open_page(run_dir)
    chart = page.locator("#training-lndpo svg[data-points]", has=page.locator("title", has_text="Loss")).first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 52 / 400 + 1, box["y"] + box["height"] / 2)
    told = page.locator("#training-lndpo .told").first
    expect(told).to_contain_text("step 1: training 2, held out 0.5")
    page.mouse.move(box["x"] + box["width"] * 387 / 400, box["y"] + box["height"] / 2)
    expect(told).to_contain_text("step 30: training 0.06667, held out 0.5")


@pytest.mark.slow
def test_a_hundred_thousand_pairs_are_filtered_searched_and_paged(
    tmp_path: Path, run_script: Callable[..., Any], open_page: Open
) -> None:
    report_runs.many_pairs(tmp_path, MANY)
    done = run_script("evaluation/report.py", "--run-dir", tmp_path, "--report-to", "none")
    assert done.returncode == 0, done.stderr
    page = open_page(tmp_path)
    expect_count(page, MANY)
    elements = page.evaluate("document.querySelectorAll('*').length")
    assert elements < 2_000  # the rows are not in the document
    pager = page.locator("[data-pager]").first
    pager.get_by_label("Last page").click()
    expect(page.locator("#row-count")).to_contain_text("99,991–100,000 of 100,000")
    assert f"Question {MANY - 1}:" in (page.locator(".row-card").last.text_content() or "")
    choose(page, "source", "source-2 (20,000)")
    expect_count(page, MANY // 5)
    page.fill("input[name=marginLow]", "0.0995")
    expect_count(
        page, MANY // 5 // 200
    )  # margins 0.0997 and 0.0992 … end in 2 or 7: 0.0997 alone of a thousand
    page.click("button[type=reset]")
    expect_count(page, MANY)
    page.fill("input[name=query]", "question 87654:")
    expect_count(page, 1)
    assert "It is 87655." in (page.locator(".answer.chosen").text_content() or "")
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000
