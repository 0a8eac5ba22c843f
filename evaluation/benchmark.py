"""What a benchmark is made of: items, how they are generated, what scoring gives; and the list of those there are.

A benchmark is one module in `evaluation/benchmarks/` with

    TITLE      its name in tables             SCALE   what the score counts in: 100 (percent) or 10
    load(sources) -> list[Item]               where the data are and how a prompt is made
    generating(item, family) -> Generating    sampling settings; family is the model type (llama, qwen2, gemma2 ...)
    score(items, answers, tools) -> list[ItemScore]     how an answer is scored; answers: generations by item_id
    summarise(scores, items) -> Summary       how the score is added up (optional; default: the mean)
    paired(scores, reference, items) -> dict  the difference to the first model (optional; for a score that is no mean)
    MEAN_LEVELS                               groups whose means are averaged, outermost first (optional; see summary.py)
    NEEDS_JUDGE, REPORT_JUDGE                 whether a judge model is called, and whose scores the report gives
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import msgspec

from evaluation.switches import ChatStyle, Switches
from fusechat.errors import BadInput

if TYPE_CHECKING:
    from evaluation.dataset_files import Sources
    from evaluation.judge import Judge

# The 14 rows of the FuseChat-3.0 report's table, whose plain mean is its average.
REPORT_ORDER = (
    "alpaca_eval_2", "arena_hard", "mt_bench", "align_bench", "gsm8k", "math", "amc23", "livebench_0831", "mmlu_pro",
    "mmlu_redux", "gpqa_diamond", "humaneval", "mbpp", "livecodebench_2408_2411",
)  # fmt: skip
# Those that can be run: the demo's own problems, the report's, and sets like the report's, never part of its average.
KNOWN = ("demo_word_problems", *REPORT_ORDER, "math_500", "mmlu", "mmlu_redux_2")


@dataclass(frozen=True)
class Item:
    """One question: its chat, the text that opens the answer, and what scoring needs to know."""

    item_id: str
    messages: tuple[dict[str, str], ...]
    prefill: str = ""
    later_turns: tuple[str, ...] = ()
    gold: Any = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    # Private items (GPQA) never get into logs, tables or plots.
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class Generating:
    """How answers to an item are sampled; greedy by default."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    samples: int = 1
    stop: tuple[str, ...] = ()
    # Prompt and answer together, in tokens: the report's evaluation capped both at 4096.
    max_total_tokens: int = 4096
    # "template": the tokenizer's own. "bare": without the date block or the sentence that it adds by itself.
    chat_style: ChatStyle = "template"


class Generation(msgspec.Struct):
    """One sampled answer, one line of generations/<model>/<benchmark>.jsonl."""

    generation_id: str  # <item_id>:<sample_index>, with :turn2 behind it for a second turn
    item_id: str
    sample_index: int
    turn: int
    text: str
    finish_reason: Literal["stop", "length"]
    num_tokens: int


class ItemScore(msgspec.Struct):
    """One line of items/<model>/<benchmark>.jsonl. `score` is null where it is missing, never low instead.

    `dropped`: there is no score either, but the protocol leaves the item out (a judge that contradicts itself), so that
    it is neither missing nor part of a mean.
    """

    item_id: str
    score: float | None
    extracted: Any = None
    gold: Any = None
    reason: str | None = None
    groups: dict[str, str] = {}
    figures: dict[str, float] = {}
    dropped: bool = False


@dataclass(frozen=True)
class Summary:
    """A benchmark's score over its items."""

    score: float
    standard_error: float | None
    breakdown: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Tools:
    """What scoring may use besides the answers."""

    workers: int = 1
    math_timeout_s: float = 5.0
    isolation: str = "auto"
    judge: "Judge | None" = None
    switches: Switches = field(default_factory=Switches)
    # The model type that generated the answers, as its generations tell it; empty where they do not.
    family: str = ""

    def judge_for(self, benchmark: str) -> "Judge":
        """The judge; BadInput where none was given."""
        if self.judge is None:
            raise BadInput(f"{benchmark}: needs --judge-model and --judge-base-url")
        return self.judge


class Benchmark(Protocol):
    """The functions of a module in evaluation/benchmarks/."""

    TITLE: str
    SCALE: float

    def load(self, sources: "Sources") -> list[Item]:
        """All items, in the data's order."""

    def generating(self, item: Item, family: str) -> Generating:
        """Sampling settings of an item."""

    def score(
        self, items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
    ) -> list[ItemScore]:
        """One score an item, in the items' order."""


def load_benchmark(name: str) -> Benchmark:
    """The module of a benchmark; BadInput with the known names for another one."""
    if name not in KNOWN:
        raise BadInput(
            f"--benchmarks {name}: is not a benchmark that is there; known are: {', '.join(KNOWN)}"
        )
    return cast(Benchmark, importlib.import_module(f"evaluation.benchmarks.{name}"))
