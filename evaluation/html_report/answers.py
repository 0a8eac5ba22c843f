"""Figures of the answers: how many, how long, how scored, how checked, by source and domain.

Everything is read once, line by line; of each answer only numbers stay, so millions of answers fit in memory.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.html_report.run_files import Part, RunFolder, read_rows
from fusechat.errors import BadInput
from fusechat.records import CodeVerdict, MathVerdict, Prompt, Response, RMScore

ANY_DOMAIN = "all"


@dataclass(frozen=True)
class PromptFacts:
    """What the report keeps of a prompt."""

    dataset: str
    domain: str
    gold_answer: str | None


@dataclass
class SourceFigures:
    """One source model's answers."""

    answers: Counter[str] = field(default_factory=Counter)  # by domain
    cut_at_limit: int = 0
    characters: "array[int]" = field(default_factory=lambda: array("i"))
    tokens: int = 0
    answers_with_tokens: int = 0
    scores: "dict[str, array[float]]" = field(default_factory=lambda: defaultdict(lambda: array("d")))
    without_score: Counter[str] = field(default_factory=Counter)  # by reason
    truncated_for_score: int = 0
    code: Counter[str] = field(default_factory=Counter)  # by verdict
    math: Counter[str] = field(default_factory=Counter)  # right, wrong, undecided

    @property
    def scored(self) -> int:
        """Answers with an RM score."""
        return sum(map(len, self.scores.values()))


@dataclass(frozen=True)
class RowChecks:
    """What the checks said about one answer that got into the training rows; each None where it was not asked."""

    code: CodeVerdict | None = None
    math: MathVerdict | None = None


@dataclass
class Answers:
    """All figures of prompts, responses, scores and verdicts, and the parts that they come from."""

    prompts: dict[str, PromptFacts]
    sources: dict[str, SourceFigures]
    parts: dict[str, Part]
    response_parts: list[Part]
    rows_of: Counter[str]  # rows read, by part name
    checks: dict[str, RowChecks]  # by response_id, for the training rows' answers alone

    @property
    def domains(self) -> list[str]:
        """Domains of the prompts, the largest first."""
        return [
            domain for domain, _ in Counter(facts.domain for facts in self.prompts.values()).most_common()
        ]


def read_answers(run: RunFolder, wanted_ids: set[str]) -> Answers:
    """Reads what the steps before the pairs wrote; `wanted_ids` are the answers whose verdicts are kept.

    Raises BadInput for a broken line, naming file, line and field.
    """
    names = ("prompts.jsonl", "rm_scores.jsonl", "code_tests.jsonl", "math_checks.jsonl")
    answers = Answers(
        prompts={},
        sources={},
        parts={name: run.part(name) for name in names},
        response_parts=run.response_parts(),
        rows_of=Counter(),
        checks={},
    )
    read_prompts(answers)
    for part in answers.response_parts:
        read_responses(answers, part)
    read_scores(answers)
    read_code_verdicts(answers, wanted_ids)
    read_math_verdicts(answers, wanted_ids)
    answers.sources = dict(sorted(answers.sources.items()))
    return answers


def read_prompts(answers: Answers) -> None:
    """Dataset, domain and gold answer of every prompt."""
    for prompt, location in read_rows(answers.parts["prompts.jsonl"].paths, Prompt):
        if prompt.prompt_id in answers.prompts:
            raise BadInput(f"{location}: prompt_id: {prompt.prompt_id} comes twice; each id once")
        answers.prompts[prompt.prompt_id] = PromptFacts(prompt.dataset, prompt.domain, prompt.gold_answer)
    answers.rows_of["prompts.jsonl"] = len(answers.prompts)


def read_responses(answers: Answers, part: Part) -> None:
    """Counts and lengths of one source's answers."""
    for response, location in read_rows(part.paths, Response):
        figures = answers.sources.setdefault(response.source, SourceFigures())
        figures.answers[domain_of(answers, response.prompt_id, location)] += 1
        figures.cut_at_limit += response.finish_reason == "length"
        figures.characters.append(len(response.text))
        if response.num_tokens is not None:
            figures.tokens += response.num_tokens
            figures.answers_with_tokens += 1
        answers.rows_of[part.name] += 1


def read_scores(answers: Answers) -> None:
    """RM scores by source and domain."""
    part = answers.parts["rm_scores.jsonl"]
    for score, location in read_rows(part.paths, RMScore):
        figures, domain = figures_of(answers, score.response_id, location)
        if score.rm_score is None:
            figures.without_score[score.reason or "no reason given"] += 1
        else:
            figures.scores[domain].append(score.rm_score)
        figures.truncated_for_score += score.rm_truncated
        answers.rows_of[part.name] += 1


def read_code_verdicts(answers: Answers, wanted_ids: set[str]) -> None:
    """Code verdicts by source, and those of the training rows."""
    part = answers.parts["code_tests.jsonl"]
    for verdict, location in read_rows(part.paths, CodeVerdict):
        figures, _ = figures_of(answers, verdict.response_id, location)
        figures.code[verdict.verdict] += 1
        if verdict.response_id in wanted_ids:
            answers.checks[verdict.response_id] = RowChecks(code=verdict)
        answers.rows_of[part.name] += 1


def read_math_verdicts(answers: Answers, wanted_ids: set[str]) -> None:
    """Maths verdicts by source, and those of the training rows."""
    part = answers.parts["math_checks.jsonl"]
    for verdict, location in read_rows(part.paths, MathVerdict):
        figures, _ = figures_of(answers, verdict.response_id, location)
        figures.math[math_word(verdict)] += 1
        if verdict.response_id in wanted_ids:
            answers.checks[verdict.response_id] = RowChecks(math=verdict)
        answers.rows_of[part.name] += 1


def math_word(verdict: MathVerdict) -> str:
    """`right`, `wrong` or `undecided`."""
    return {True: "right", False: "wrong", None: "undecided"}[verdict.correct]


def figures_of(answers: Answers, response_id: str, location: str) -> tuple[SourceFigures, str]:
    """The figures of the source that an answer is from, and its prompt's domain, both read from its id."""
    parts = response_id.rsplit(":", 2)
    if len(parts) != 3:
        raise BadInput(
            f"{location}: response_id: {response_id!r} is not <prompt_id>:<source>:<sample_index>; "
            "run the step that writes this file again"
        )
    prompt_id, source, _ = parts
    return answers.sources.setdefault(source, SourceFigures()), domain_of(answers, prompt_id, location)


def domain_of(answers: Answers, prompt_id: str, location: str) -> str:
    """A prompt's domain; where the run has no prompts file, one word for all."""
    if not answers.prompts:
        return ANY_DOMAIN
    facts = answers.prompts.get(prompt_id)
    if facts is None:
        raise BadInput(
            f"{location}: prompt_id: {prompt_id} is not in prompts.jsonl of this run; "
            "put the prompts file that these answers belong to into the run's folder"
        )
    return facts.domain


def paths_of(parts: Sequence[Part]) -> list[Path]:
    """All files of some parts."""
    return [path for part in parts for path in part.paths]
