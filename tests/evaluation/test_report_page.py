"""report.py's page without a browser: what is in it, what it links to, what it refuses, what is not there yet."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import report_runs

from evaluation.html_report.charts import WIDTH, Axis, Curve, line_chart, thinned, x_ticks
from evaluation.html_report.training_curves import read_metrics
from fusechat.errors import BadInput

RunScript = Callable[..., Any]


class Page(HTMLParser):
    """The page's elements: (tag, attributes, text inside), in order of their start."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[int] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}, []))
        if tag not in {"meta", "input"}:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self.elements[self._open.pop()][0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for place in self._open:
            self.elements[place][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str], str]]:
        """(attributes, text) of every element of a name."""
        return [(attributes, "".join(text)) for name, attributes, text in self.elements if name == tag]

    def packed(self, name: str) -> Any:
        """The content of a packed part."""
        (text,) = (text for attributes, text in self.all("script") if attributes.get("id") == name)
        return json.loads(gzip.decompress(base64.b64decode(text)))

    @property
    def text(self) -> str:
        return " ".join(
            " ".join(text for name, _, texts in self.elements if name == "body" for text in texts).split()
        )


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_runs.write_run(tmp_path_factory.mktemp("runs") / "a run with blanks, ü and 中")


@pytest.fixture
def run_dir(whole_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(whole_run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html*")))


@pytest.fixture
def report(run_script: RunScript) -> Callable[..., Any]:
    def run(run_dir: Path, *flags: object) -> Any:
        return run_script("evaluation/report.py", "--run-dir", run_dir, "--report-to", "none", *flags)

    return run


@pytest.fixture(scope="module")
def page(whole_run: Path, run_script: RunScript) -> Iterator[Page]:
    done = run_script("evaluation/report.py", "--run-dir", whole_run, "--report-to", "none")
    assert done.returncode == 0, done.stderr
    yield Page(whole_run / "report.html")


def test_every_link_leads_to_a_file_or_to_a_place_in_the_page(page: Page, whole_run: Path) -> None:
    names = {attributes["id"] for _, attributes, _ in page.elements if "id" in attributes}
    hrefs = [attributes["href"] for attributes, _ in page.all("a")]
    assert len(hrefs) > 30
    for href in hrefs:
        assert (href[1:] in names) if href.startswith("#") else (whole_run / unquote(href)).is_file(), href


def test_every_figure_and_every_single_number_links_to_the_file_that_it_is_from(page: Page) -> None:
    figures = re.findall(r"<figure.*?</figure>", page.source, re.DOTALL)
    assert len(figures) > 15
    assert [figure for figure in figures if "<a href=" not in figure] == []
    numbers = re.findall(r"<dd>.*?</dd>", page.source, re.DOTALL)
    totals = re.findall(r'<p class="total">.*?</p>', page.source, re.DOTALL)
    assert len(numbers) > 8 and len(totals) == 8
    assert [number for number in numbers + totals if "<a href=" not in number] == []


def test_the_funnel_counts_what_is_in_the_files(page: Page, whole_run: Path) -> None:
    def lines(name: str) -> int:
        return len((whole_run / name).read_text(encoding="utf-8").split("\n")) - 1

    totals = [text for attributes, text in page.all("p") if attributes.get("class") == "total"]
    answers = sum(lines(f"responses/source{place}.jsonl") for place in (0, 1))
    rows = [json.loads(line) for line in (whole_run / "pairs" / "dpo.jsonl").open(encoding="utf-8")]
    rows += [json.loads(line) for line in (whole_run / "pairs" / "sft.jsonl").open(encoding="utf-8")]
    used = len({row["prompt_id"] for row in rows})
    expected = [
        lines("prompts.jsonl"), answers, lines("rm_scores.jsonl"), lines("math_checks.jsonl"),
        lines("code_tests.jsonl"), used, lines("pairs/sft.jsonl"), lines("pairs/dpo.jsonl"),
    ]  # fmt: skip
    assert [int(total) for total in totals] == expected
    assert min(expected) > 5


def test_the_composition_stands_beside_the_reports_figures(page: Page) -> None:
    rows = {
        match[1]: match[0]
        for match in re.finditer(r'<tr[^>]*>\s*<th scope="row">([^<]*)</th>.*?</tr>', page.source, re.DOTALL)
    }
    assert "report 20,439" in rows["openbmb/UltraFeedback"]  # in this run and in the report
    assert "report 40,188" in rows["nvidia/OpenMathInstruct-2"]
    assert "report 5,661" in rows["nvidia/HelpSteer2"]  # in the report alone
    total = next(row for row in re.findall(r'<tr class="total-row">.*?</tr>', page.source, re.DOTALL))
    assert "report 94,539" in total and "report 64,245" in total


def test_every_row_is_in_the_page_with_its_scores_and_verdicts(page: Page, whole_run: Path) -> None:
    index = page.packed("row-index")
    columns, names = index["columns"], index["names"]
    pairs = [json.loads(line) for line in (whole_run / "pairs" / "dpo.jsonl").open(encoding="utf-8")]
    sft = [json.loads(line) for line in (whole_run / "pairs" / "sft.jsonl").open(encoding="utf-8")]
    assert columns["kind"] == [0] * len(pairs) + [1] * len(sft)
    for number, pair in enumerate(pairs):
        texts = page.packed(f"rows-{columns['chunk'][number]}")[columns["place"][number]]
        assert texts["answer"] == pair["chosen"][0]["content"]
        assert texts["rejected"] == pair["rejected"][0]["content"]
        assert texts["messages"] == [[turn["role"], turn["content"]] for turn in pair["prompt"]]
        assert columns["margin"][number] == pytest.approx(pair["margin"], abs=1e-6)
        assert names["source"][columns["source"][number]] == pair["source"]
        if pair["domain"] == "code":
            assert (texts["check"]["word"], texts["rejectedCheck"]["word"]) == ("pass", "fail")
            assert texts["rejectedCheck"]["failure"]["got"] == "<b>4</b>"
        if pair["domain"] == "math":
            assert texts["gold"] == "7"
            assert texts["check"] == {"kind": "math", "word": "right", "extracted": "7", "reason": None}
    checked = Counter(zip(columns["right"], columns["rejectedRight"], strict=True))
    assert checked[True, False] == sum(pair["domain"] in ("math", "code") for pair in pairs) > 5


def test_no_text_of_a_model_is_markup_or_script(page: Page) -> None:
    chunks = sum(attributes.get("id", "").startswith("rows-") for attributes, _ in page.all("script"))
    assert len(page.all("script")) == 1 + 2 + chunks  # index, libraries, the page's own, chunks
    assert page.all("img") == page.all("iframe") == page.all("object") == []
    assert "owned" not in page.source  # only ever in packed form
    assert "bob &lt;i&gt;" in page.source and "bob <i>" not in page.source
    assert "1337" not in page.text  # a template in an answer is not filled in
    assert all(not name.startswith("on") for _, attributes, _ in page.elements for name in attributes)


def test_the_policy_names_exactly_the_pages_own_scripts_and_style(page: Page) -> None:
    (policy,) = (
        attributes["content"]
        for attributes, _ in page.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    run = [text for attributes, text in page.all("script") if "type" not in attributes]
    (style,) = [text for _, text in page.all("style")]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in [*run, style]]
    assert re.findall(r"sha256-([^']+)", policy) == digests
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy and "http" not in policy


def test_scores_are_shown_with_errors_and_an_incomplete_benchmark_has_none(page: Page) -> None:
    assert "20.0 ± 1.5" in page.text and "31.5 ± 1.5" in page.text
    assert "+11.5 [+9.5, +13.5], more than noise" in page.text
    assert "incomplete (3 missing)" in page.text
    assert "Only the first 50 items" in page.text
    bars = [attributes["aria-label"] for attributes, _ in page.all("svg") if "aria-label" in attributes]
    assert "Scores by benchmark and model" in bars and "Difference to base" in bars


def test_the_same_files_give_the_same_bytes_and_a_report_is_made_anew(
    run_dir: Path, report: Callable[..., Any]
) -> None:
    assert report(run_dir).returncode == 0
    first = (run_dir / "report.html").read_bytes()
    assert report(run_dir).returncode == 0
    assert (run_dir / "report.html").read_bytes() == first
    record = json.loads((run_dir / "report.html.run.json").read_text(encoding="utf-8"))
    assert record["script"] == "evaluation/report.py"
    assert record["counts"]["bytes"] == len(first)
    hashed = {Path(entry["path"]).name: entry["sha256"] for entry in record["inputs"]["run_dir"]}
    assert hashed["dpo.jsonl"] == hashlib.sha256((run_dir / "pairs" / "dpo.jsonl").read_bytes()).hexdigest()
    with (run_dir / "models" / "sft" / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 31, "loss": 0.01}\n')
    assert report(run_dir).returncode == 0
    assert (run_dir / "report.html").read_bytes() != first


def test_a_file_that_is_no_report_is_kept_unless_told_otherwise(
    run_dir: Path, tmp_path: Path, report: Callable[..., Any]
) -> None:
    mine = tmp_path / "thesis.html"
    mine.write_text("<p>mine</p>", encoding="utf-8")
    done = report(run_dir, "--output", mine)
    assert done.returncode == 2 and "thesis.html" in done.stderr and "--overwrite" in done.stderr
    assert mine.read_text(encoding="utf-8") == "<p>mine</p>"
    assert report(run_dir, "--output", mine, "--overwrite").returncode == 0
    assert "run report" in mine.read_text(encoding="utf-8")


def test_links_are_relative_to_where_the_page_is_written(
    run_dir: Path, tmp_path: Path, report: Callable[..., Any]
) -> None:
    output = tmp_path / "some where" / "page.html"
    assert report(run_dir, "--output", output).returncode == 0
    hrefs = [attributes["href"] for attributes, _ in Page(output).all("a")]
    files = [href for href in hrefs if not href.startswith("#")]
    assert files and all((output.parent / unquote(href)).is_file() for href in files)


def test_an_empty_folder_gives_a_page_that_names_every_missing_part(
    tmp_path: Path, report: Callable[..., Any]
) -> None:
    run_dir = tmp_path / "new"
    run_dir.mkdir()
    done = report(run_dir)
    assert done.returncode == 0, done.stderr
    text = Page(run_dir / "report.html").text
    for name, script in (
        ("prompts.jsonl", "sampling/select_prompts.py"),
        ("responses/", "sampling/sample_vllm.py"),
        ("rm_scores.jsonl", "scoring/score_armorm.py"),
        ("code_tests.jsonl", "scoring/run_code_tests.py"),
        ("math_checks.jsonl", "scoring/check_math.py"),
        ("pairs/composition.json", "scoring/make_pairs.py"),
        ("pairs/dpo.jsonl", "scoring/make_pairs.py"),
        ("evaluation/scores.json", "evaluation/run_evals.py"),
    ):
        assert f"{name} is not there yet; {script}" in text
        assert name in done.stderr
    assert "no models/*/metrics.jsonl is there yet" in text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("prompts.jsonl", "prompts.jsonl is not there yet"),
        ("responses", "responses/ is not there yet"),
        ("rm_scores.jsonl", "rm_scores.jsonl is not there yet"),
        ("code_tests.jsonl", "code_tests.jsonl is not there yet"),
        ("math_checks.jsonl", "math_checks.jsonl is not there yet"),
        ("pairs/composition.json", "pairs/composition.json is not there yet"),
        ("pairs/sft.jsonl", "pairs/sft.jsonl is not there yet"),
        ("pairs/dpo.jsonl", "pairs/dpo.jsonl is not there yet"),
        ("models", "no models/*/metrics.jsonl is there yet"),
        ("models/sft/run.json", ""),
        ("evaluation", "evaluation/scores.json is not there yet"),
    ],
)
def test_a_run_without_one_part_shows_the_others_and_names_it(
    run_dir: Path, name: str, told: str, report: Callable[..., Any]
) -> None:
    shown = ["Training: sft", "GSM8K", "openbmb/UltraFeedback", "Mean RM score"]
    path = run_dir / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = report(run_dir)
    assert done.returncode == 0, done.stderr
    page = Page(run_dir / "report.html")
    assert told in page.text
    assert sum(words in page.text for words in shown) >= 3
    hrefs = [attributes["href"] for attributes, _ in page.all("a")]
    assert all((run_dir / unquote(href)).is_file() for href in hrefs if not href.startswith("#"))


def test_unfinished_files_and_missing_shards_are_named(run_dir: Path, report: Callable[..., Any]) -> None:
    (run_dir / "rm_scores.jsonl").rename(run_dir / "rm_scores.jsonl.partial")
    (run_dir / "code_tests.jsonl").rename(run_dir / "code_tests-00001-of-00002.jsonl")
    (run_dir / "responses" / "source1.jsonl").rename(run_dir / "responses" / "source1.jsonl.partial")
    done = report(run_dir)
    assert done.returncode == 0, done.stderr
    text = Page(run_dir / "report.html").text
    assert "rm_scores.jsonl is not finished yet" in text
    assert "code_tests-00000-of-00002.jsonl: this shard is missing" in text
    assert "responses/source1.jsonl is not finished yet" in text


def test_a_whole_set_of_shards_is_read_as_one(run_dir: Path, report: Callable[..., Any]) -> None:
    assert report(run_dir).returncode == 0
    before = Page(run_dir / "report.html").text
    lines = (run_dir / "rm_scores.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (run_dir / "rm_scores.jsonl").unlink()
    for shard in (0, 1):
        path = run_dir / f"rm_scores-0000{shard}-of-00002.jsonl"
        path.write_text("".join(lines[shard::2]), encoding="utf-8")
    assert report(run_dir).returncode == 0
    after = Page(run_dir / "report.html").text
    boxes = re.compile(r"Mean RM score.*?Margins and lengths")
    means = [re.findall(r"0\.\d{4}", boxes.search(text)[0]) for text in (before, after)]  # type: ignore[index]
    assert means[0] == means[1] and means[0]


BROKEN = [
    ("prompts.jsonl", '{"prompt_id": "x"', "not valid JSON"),
    ("prompts.jsonl", '{"prompt_id": "x", "dataset": "d", "domain": "law", "messages": []}', "domain"),
    ("responses/source0.jsonl", '{"response_id": "math-0:ann:0"}', "prompt_id"),
    ("rm_scores.jsonl", '{"response_id": "math-0:ann:0", "rm_score": "high"}', "rm_score"),
    ("rm_scores.jsonl", '{"response_id": "no id", "rm_score": 1.0}', "response_id"),
    ("rm_scores.jsonl", '{"response_id": "math-999:ann:0", "rm_score": 1.0}', "math-999"),
    ("code_tests.jsonl", '{"response_id": "code-0:ann:0", "verdict": "perhaps"}', "verdict"),
    ("math_checks.jsonl", '{"response_id": "math-0:ann:0"}', "correct"),
    ("pairs/dpo.jsonl", '{"prompt": []}', "chosen"),
    ("pairs/sft.jsonl", "[]", "object"),
    ("models/sft/metrics.jsonl", '{"loss": 1}', "step"),
    ("models/lndpo/metrics.jsonl", "{", "not valid JSON"),
]


@pytest.mark.parametrize(("name", "line", "told"), BROKEN)
def test_a_broken_line_is_named_by_file_and_line_and_nothing_is_written(
    run_dir: Path, name: str, line: str, told: str, report: Callable[..., Any]
) -> None:
    with (run_dir / name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    number = len((run_dir / name).read_bytes().split(b"\n")) - 1
    done = report(run_dir)
    assert done.returncode == 2, done.stderr
    (message,) = done.stderr.strip().split("\n")
    assert f"{run_dir / name}:{number}: " in message and told in message
    assert not list(run_dir.glob("report.html*"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("pairs/composition.json", '{\n  "total": {\n', "composition.json:3: is not valid JSON"),
        ("pairs/composition.json", "{}", "composition.json: total: this field is missing"),
        ("evaluation/scores.json", '{"models": 3}', "scores.json: models: "),
        ("evaluation/scores.json", "\xff", "scores.json:1: is not valid JSON"),
    ],
)
def test_a_broken_json_file_is_named_with_line_or_field(
    run_dir: Path, name: str, content: str, told: str, report: Callable[..., Any]
) -> None:
    (run_dir / name).write_bytes(content.encode("latin-1"))
    done = report(run_dir)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not list(run_dir.glob("report.html*"))


def test_wrong_settings_end_with_status_2(tmp_path: Path, run_dir: Path, report: Callable[..., Any]) -> None:
    missing = report(tmp_path / "nowhere")
    assert missing.returncode == 2 and "nowhere: no such folder" in missing.stderr
    negative = report(run_dir, "--max-rows", -1)
    assert negative.returncode == 2 and "--max-rows -1" in negative.stderr
    folder = report(run_dir, "--output", run_dir / "pairs")
    assert folder.returncode == 2 and "is a folder" in folder.stderr


def test_max_rows_limits_what_the_page_carries_and_says_so(run_dir: Path, report: Callable[..., Any]) -> None:
    done = report(run_dir, "--max-rows", 3)
    assert done.returncode == 0, done.stderr
    page = Page(run_dir / "report.html")
    assert page.packed("row-index")["columns"]["kind"] == [0, 0, 0, 1, 1, 1]
    pairs = len((run_dir / "pairs" / "dpo.jsonl").read_text(encoding="utf-8").split("\n")) - 1
    assert f"Not all rows are in this page: {pairs - 3} further rows of dpo.jsonl" in page.text
    assert "as --max-rows 3 asks" in page.text


def test_a_torn_last_line_of_the_metrics_is_left_out_and_a_broken_one_before_it_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo', encoding="utf-8")
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]
    path.write_text('{"step": 1}\n{"ste\n{"step": 3}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"metrics\.jsonl:2: is not valid JSON"):
        read_metrics(path)


def test_a_long_curve_is_thinned_to_its_extremes() -> None:
    points = [(float(step), 1.0) for step in range(10_000)]
    points[1234], points[8765] = (1234.0, 9.0), (8765.0, -9.0)
    kept = thinned(points)
    assert len(kept) < 600
    assert {(0.0, 1.0), (1234.0, 9.0), (8765.0, -9.0), (9999.0, 1.0)} <= set(kept)
    assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 8e-7, ["0", "2e-7", "4e-7", "6e-7", "8e-7"]),
        (-30.0, 10.0, ["-30", "-20", "-10", "0", "10"]),
        (0.0, 50_000.0, ["0", "10k", "20k", "30k", "40k", "50k"]),
    ],
)
def test_an_axis_is_marked_at_round_numbers(low: float, high: float, ticks: list[str]) -> None:
    axis = Axis.widened(low, high, 0.0, 100.0)
    assert [axis.label(value) for value in axis.ticks()] == ticks


def test_a_flat_curve_and_a_single_point_can_be_drawn() -> None:
    for points in ([(1.0, 0.0)], [(1.0, 5.0), (2.0, 5.0)], [(0.0, 0.0), (1.0, 0.0)]):
        assert "NaN" not in line_chart("flat", [Curve("loss", points)], "step")


def test_long_labels_of_the_outermost_ticks_stay_on_the_drawing() -> None:
    parts = "".join(x_ticks(Axis(-0.01, 0.015, 12.0, WIDTH - 12.0), 100.0))
    places = {label: float(x) for x, label in re.findall(r'<text x="([\d.]+)".*?>(-?[\d.]+)</text>', parts)}
    assert list(places) == ["-0.010", "-0.005", "0", "0.005", "0.010", "0.015"]
    assert places["-0.010"] > 18 and places["0.015"] < WIDTH - 15 and places["0"] == pytest.approx(162.4)
