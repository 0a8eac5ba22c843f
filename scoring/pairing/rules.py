"""The switches of the pair rules, with their defaults; scoring/pairs.yaml explains them and is the paper preset."""

import dataclasses
import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from fusechat.command_line import read_yaml
from fusechat.errors import BadInput

PRESETS = {"paper": Path(__file__).resolve().parent.parent / "pairs.yaml"}
ALL_DATASETS = "all"
PAPER_SOURCES = (
    "gemma-2-27b-it",
    "Mistral-Large-Instruct-2407",
    "Qwen2.5-72B-Instruct",
    "Llama-3.1-70B-Instruct",
    "Llama-3.1-405B-Instruct",
    "Qwen2.5-Math-72B-Instruct",
)


@dataclass(kw_only=True)
class PairRules:
    """Every switch of the rules; the defaults are the report's choices where it states one."""

    margin: tuple[float, float] = (0.01, 0.1)
    """LO HI: window, ends included, for the RM score of chosen minus rejected (instruction, math)."""
    margin_quantiles: tuple[float, float] | None = None
    """LO HI: set the window to these quantiles of best minus worst RM score inside a source (wins over --margin)."""
    seed: int = 0
    """Seed of the order by which instruction prompts are dealt to SFT and DPO, and rows are written."""
    pairing: Literal["same-source", "cross-source", "best-worst-overall"] = "same-source"
    """Where chosen and rejected come from: one source; two different sources; best and worst of all sources."""
    score: Literal["rm", "rm+points"] = "rm"
    """Code answers are ranked by RM score, or by RM score + 1 if the static check is clean + 1 if tests pass."""
    source_choice: Literal["largest-margin", "best-chosen", "all"] = "largest-margin"
    """Which pair where several sources qualify: largest margin, best chosen answer, or one per source."""
    search_within_source: bool = False
    """Where best against worst lies above the window, look for a milder rejected answer inside it."""
    truncated_answers: Literal["rejected-only", "leave-out"] = "rejected-only"
    """Answers cut by length: usable as rejected only (never as chosen or for SFT), or not at all."""
    source_order: list[str] = field(default_factory=lambda: list(PAPER_SOURCES))
    """Order of sources that settles ties; sources not named follow by name."""
    on_policy_sources: list[str] = field(default_factory=list)
    """Sources (the target model, say) whose answers may only be rejected; all rejected answers are theirs then."""
    instruction_sft_tenths: int = 4
    """Tenths of each instruction dataset's prompts that go to SFT (rounded down); the rest goes to DPO."""
    math_margin_fail: Literal["drop", "sft"] = "drop"
    """Math prompts with right and wrong answers of one source but no pair in the window: unused, or SFT."""
    math_reuse_prompts: bool = False
    """A math prompt that gives a pair also gives an SFT row."""
    code_margin: tuple[float, float] | None = None
    """LO HI window for code pairs (default: none)."""
    code_require_positive_margin: bool = True
    """Code pairs need the chosen answer to score above the rejected one."""
    code_margin_fail: Literal["drop", "sft"] = "sft"
    """Code prompts with passing and failing answers but no usable pair: SFT, or unused."""
    code_rejected: Literal["any-failure", "failed-tests"] = "any-failure"
    """Which failing code may be rejected: all of it, or only code that was run (fail, error, timeout)."""
    code_reuse_prompts: list[str] = field(default_factory=list)
    """Code datasets whose prompts may give an SFT row besides the pair (names, or `all`)."""
    chinese_min_cjk_share: float = 0.5
    """Least share of Chinese characters among the letters of a Chinese answer."""

    def reuses_code_prompts(self, dataset: str) -> bool:
        """Whether a code prompt of this dataset gives an SFT row besides its pair."""
        return ALL_DATASETS in self.code_reuse_prompts or dataset in self.code_reuse_prompts

    def source_rank(self, sources: list[str]) -> dict[str, int]:
        """Position of each source in the order that settles ties."""
        named = {source: rank for rank, source in enumerate(self.source_order)}
        ordered = sorted(sources, key=lambda source: (named.get(source, len(named)), source))
        return {source: rank for rank, source in enumerate(ordered)}


def rules_of(args: Any) -> PairRules:
    """The rules among a step's arguments, checked. Raises BadInput that names all wrong ones at once."""
    names = [rule.name for rule in dataclasses.fields(PairRules)]
    rules = PairRules(**{name: getattr(args, name) for name in names})
    faults = list(_faults(rules))
    if faults:
        raise BadInput("; ".join(faults))
    return rules


def _faults(rules: PairRules) -> list[str]:
    faults = []
    for flag, window in (("--margin", rules.margin), ("--code-margin", rules.code_margin)):
        if window is None:
            continue
        if not all(math.isfinite(bound) for bound in window):
            faults.append(f"{flag} {window[0]} {window[1]}: both ends must be finite numbers")
        elif window[0] > window[1]:
            faults.append(
                f"{flag} {window[0]:g} {window[1]:g}: the window is upside down; give the lower end first"
            )
    if (
        rules.margin_quantiles is not None
        and not 0 <= rules.margin_quantiles[0] < rules.margin_quantiles[1] <= 1
    ):
        low, high = rules.margin_quantiles
        faults.append(
            f"--margin-quantiles {low:g} {high:g}: must rise, from 0 to 1; give for example 0.3 0.99"
        )
    if not 0 <= rules.instruction_sft_tenths <= 10:
        faults.append(f"--instruction-sft-tenths {rules.instruction_sft_tenths}: must be 0 to 10")
    if not 0 <= rules.chinese_min_cjk_share <= 1:
        faults.append(f"--chinese-min-cjk-share {rules.chinese_min_cjk_share}: must be 0 to 1")
    if len(set(rules.source_order)) < len(rules.source_order):
        faults.append("--source-order: names a source twice; each once")
    if rules.on_policy_sources and rules.pairing == "same-source":
        faults.append(
            "--on-policy-sources: their answers are only rejected, so a pair cannot come from one source; "
            "give --pairing cross-source or best-worst-overall"
        )
    return faults


def preset_values(name: str) -> dict[str, tuple[Any, Any]]:
    """The settings of a preset: (type, value) by field name."""
    hints = typing.get_type_hints(PairRules)
    values = {}
    for key, value in read_yaml(PRESETS[name]).items():
        field_name = str(key).replace("-", "_")
        if field_name not in hints:
            raise BadInput(f"{PRESETS[name]}: unknown setting {key}")
        try:
            values[field_name] = (hints[field_name], msgspec.convert(value, hints[field_name]))
        except msgspec.ValidationError as error:
            raise BadInput(f"{PRESETS[name]}: {key}: {error}") from None
    return values
