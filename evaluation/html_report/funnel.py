"""The way from prompts to pairs: how many there were at each stage, and what became of the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluation.html_report.answers import Answers, paths_of
from evaluation.html_report.charts import COLOURS, share_bar
from evaluation.html_report.contents import Composition
from evaluation.html_report.pieces import Link, Section, Table, count, links_to, percent, share_of
from evaluation.html_report.run_files import Part, RunFolder

# Verdicts in the order of the bar, with the style sheet's colours: green for right, red for wrong.
VERDICTS = {"pass": "c2", "fail": "c6", "error": "c1", "timeout": "c4", "no_code": "c7", "bad_tests": "c3"}
MATH_WORDS = {"right": "c2", "wrong": "c6", "undecided": "c7"}
NOTHING = Markup("")


@dataclass(frozen=True)
class Stage:
    """One stage: a number, a bar of what it is made of, and the file it was counted in (or what is missing)."""

    title: str
    total: str = ""
    parts: Sequence[tuple[str, int, str]] = ()
    bar: Markup = NOTHING
    link: Link | None = None
    note: str = ""
    missing: str | None = None


def stage(
    title: str,
    parts: Sequence[tuple[str, int]],
    links: Sequence[Link],
    note: str = "",
    *,
    whole: int = 0,
    total: int | None = None,
    colours: Sequence[str] = (),
) -> Stage:
    """A stage whose parts add up to its number, unless `total` is given; `whole` is what the bar is a part of."""
    all_parts = sum(number for _, number in parts)
    told = f"{title}: " + ", ".join(f"{name} {number:,}" for name, number in parts)
    coloured = [
        (name, number, colours[place] if colours else f"c{place % COLOURS}")
        for place, (name, number) in enumerate(parts)
    ]
    bar = share_bar(told, coloured, float(max(whole, all_parts)))
    shown = count(all_parts if total is None else total)
    return Stage(title, shown, coloured, bar, links[0] if links else None, note)


def funnel_stages(
    run: RunFolder, answers: Answers, pairs: Part, composition: Composition | None
) -> list[Stage]:
    """All stages in order; one whose file is not there says so."""
    stages = [prompts_stage(run, answers), answers_stage(run, answers)]
    stages += [scores_stage(run, answers), math_stage(run, answers), code_stage(run, answers)]
    if composition is None:
        return [*stages, Stage("Training rows", missing=pairs.missing)]
    return stages + row_stages(links_to(run, [pairs]), composition)


def prompts_stage(run: RunFolder, answers: Answers) -> Stage:
    """Prompts by domain."""
    part = answers.parts["prompts.jsonl"]
    if not part:
        return Stage("Prompts", missing=part.missing)
    domains = Counter(facts.domain for facts in answers.prompts.values())
    return stage("Prompts", domains.most_common(), links_to(run, [part]))


def answers_stage(run: RunFolder, answers: Answers) -> Stage:
    """Answers by source."""
    missing = "; ".join(part.missing for part in answers.response_parts if part.missing) or None
    if not paths_of(answers.response_parts):
        return Stage("Answers", missing=missing)
    parts = [(name, figures.answers.total()) for name, figures in answers.sources.items()]
    cut = sum(figures.cut_at_limit for figures in answers.sources.values())
    note = f"{cut:,} of them cut at the token limit"
    if missing:
        note += f"; {missing}"
    return stage("Answers", parts, links_to(run, answers.response_parts), note)


def scores_stage(run: RunFolder, answers: Answers) -> Stage:
    """Answers with an RM score, by source."""
    part = answers.parts["rm_scores.jsonl"]
    if not part:
        return Stage("Scored by the reward model", missing=part.missing)
    parts = [(name, figures.scored) for name, figures in answers.sources.items()]
    without = sum((figures.without_score for figures in answers.sources.values()), Counter[str]())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in without.most_common())
    truncated = sum(figures.truncated_for_score for figures in answers.sources.values())
    notes = [
        f"without a score: {reasons}" if reasons else "",
        f"{truncated:,} cut to fit" if truncated else "",
    ]
    note = "; ".join(filter(None, notes))
    return stage("Scored by the reward model", parts, links_to(run, [part]), note, whole=all_answers(answers))


def math_stage(run: RunFolder, answers: Answers) -> Stage:
    """Maths answers by what the check said."""
    counts = sum((figures.math for figures in answers.sources.values()), Counter[str]())
    return checked_stage(run, answers, "Maths answers checked", "math_checks.jsonl", counts, MATH_WORDS)


def code_stage(run: RunFolder, answers: Answers) -> Stage:
    """Code answers by what running them showed."""
    counts = sum((figures.code for figures in answers.sources.values()), Counter[str]())
    return checked_stage(run, answers, "Code answers run", "code_tests.jsonl", counts, VERDICTS)


def checked_stage(
    run: RunFolder, answers: Answers, title: str, name: str, counts: Counter[str], words: Mapping[str, str]
) -> Stage:
    """A stage of verdicts, in the order of their words."""
    part = answers.parts[name]
    if not part:
        return Stage(title, missing=part.missing)
    parts = [(word.replace("_", " "), counts[word]) for word in words if counts[word]]
    colours = [colour for word, colour in words.items() if counts[word]]
    note = "" if parts else "none of the answers needed it"
    return stage(title, parts, links_to(run, [part]), note, colours=colours)


def row_stages(links: Sequence[Link], composition: Composition) -> list[Stage]:
    """Selected prompts, and the rows made from them."""
    total, rows = composition.total, composition.datasets
    used = total.selected - total.unused
    selected = [
        ("gives a row", used),
        ("selected but unused", total.unused),
        ("not selected", total.not_selected),
    ]
    both = f"{total.both:,} prompts give both" if total.both else ""
    sft = [(row.dataset, row.sft) for row in rows if row.sft]
    dpo = [(row.dataset, row.dpo) for row in rows if row.dpo]
    most = max(total.sft, total.dpo)
    return [
        stage(
            "Prompts that give training rows", selected, links, f"of {count(total.prompts)} prompts",
            total=used, colours=("c2", "c4", "c7"),
        ),
        stage("SFT rows", sft, links, both, whole=most),
        stage("Preference pairs", dpo, links, f"from {total.dpo_prompts:,} prompts", whole=most),
    ]  # fmt: skip


def all_answers(answers: Answers) -> int:
    """All answers of all sources."""
    return sum(figures.answers.total() for figures in answers.sources.values())


def unused_table(run: RunFolder, pairs: Part, composition: Composition) -> Table | None:
    """Why prompts gave nothing, by dataset."""
    rows = [
        [row.dataset, f"{what}: {reason}", count(number), percent(share_of(number, row.prompts))]
        for row in composition.datasets
        for what, reasons in (("not selected", row.not_selected_by_reason), ("unused", row.unused_by_reason))
        for reason, number in sorted(reasons.items(), key=lambda item: -item[1])
    ]
    if not rows:
        return None
    return Table(
        "Prompts that give no row, by reason",
        ["Dataset", "Reason", "Prompts", "Share"],
        rows,
        links_to(run, [pairs]),
        text_columns=frozenset({0, 1}),
    )


def funnel_section(run: RunFolder, pairs: Part, composition: Composition | None) -> Section:
    """The section around the stages."""
    section = Section("funnel", "From prompts to pairs")
    if composition is not None and (table := unused_table(run, pairs, composition)):
        section.tables.append(table)
    return section
