"""The named settings of the selection: a commented YAML, a preset over it, and types that check both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from fusechat.command_line import read_yaml
from fusechat.errors import BadInput

DEFAULT_SETTINGS = Path(__file__).resolve().parent.parent / "selection.yaml"

Topic = Literal["code", "math"]


class NearDuplicateSettings(msgspec.Struct, forbid_unknown_fields=True):
    """When two prompts count as the same text with small changes."""

    threshold: float = 0.8
    permutations: int = 128
    shingle_characters: int = 5


class DecontaminationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """When a prompt counts as taken from a benchmark's question."""

    ngram_words: int = 13
    min_question_words: int = 8
    max_question_share: int = 10


class ValidationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How the tests of code prompts are tried on the dataset's own solution."""

    enabled: bool = True
    timeout_s: float = 10.0


class DatasetSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The filters of one dataset; sampling/selection.yaml says what each means."""

    splits: list[str] = msgspec.field(default_factory=lambda: ["train"])
    revision: str = "main"
    max_prompts: int | None = None
    excluded_topics: list[Topic] = []
    input_qualities: list[str] | None = None
    problem_sources: list[str] | None = None
    min_characters: int = 1
    max_characters: int = 6000
    min_chinese_share: float = 0.0
    near_duplicates: Literal["never", "text", "text_and_numbers"] = "text"
    max_responses_per_prompt: int | None = None


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """All settings of a selection, after the preset."""

    datasets: dict[str, DatasetSettings]
    near_duplicates: NearDuplicateSettings = msgspec.field(default_factory=NearDuplicateSettings)
    decontamination: DecontaminationSettings = msgspec.field(default_factory=DecontaminationSettings)
    validation: ValidationSettings = msgspec.field(default_factory=ValidationSettings)


def load_settings(path: Path, preset: str | None, known_datasets: Sequence[str]) -> Settings:
    """Reads the YAML and lays a preset over it. BadInput for unknown names, wrong types, impossible values."""
    content = read_yaml(path)
    presets = content.pop("presets", None) or {}
    if preset is not None:
        if preset not in presets:
            raise BadInput(
                f"{path}: presets: has no {preset!r}; known are: {', '.join(sorted(presets)) or 'none'}"
            )
        content = merged(content, presets[preset])
    try:
        settings = msgspec.convert(content, Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        raise BadInput(f"{path}: {where.rstrip('`').lstrip('.') or 'settings'}: {what}") from None
    unknown = sorted(set(settings.datasets) - set(known_datasets))
    if unknown:
        raise BadInput(f"{path}: datasets: {unknown[0]!r} is unknown; known are: {', '.join(known_datasets)}")
    for name in known_datasets:
        settings.datasets.setdefault(name, DatasetSettings())
    _check_values(settings, path)
    return settings


def _check_values(settings: Settings, path: Path) -> None:
    faults = []
    if not 0 < settings.near_duplicates.threshold <= 1:
        faults.append("near_duplicates.threshold: must be above 0 and at most 1")
    if settings.near_duplicates.permutations < 16:
        faults.append("near_duplicates.permutations: must be at least 16")
    if settings.near_duplicates.shingle_characters < 1:
        faults.append("near_duplicates.shingle_characters: must be at least 1")
    if settings.decontamination.ngram_words < 2:
        faults.append("decontamination.ngram_words: must be at least 2")
    if settings.validation.timeout_s <= 0:
        faults.append("validation.timeout_s: must be above 0 seconds")
    for name, dataset in settings.datasets.items():
        if dataset.max_prompts is not None and dataset.max_prompts < 1:
            faults.append(f"datasets.{name}.max_prompts: must be at least 1, or null for all")
        if not dataset.splits:
            faults.append(f"datasets.{name}.splits: is empty; name at least one split")
        if dataset.min_characters > dataset.max_characters:
            faults.append(f"datasets.{name}.min_characters: is above max_characters")
    if faults:
        raise BadInput(f"{path}: {'; '.join(faults)}")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, mapping by mapping; neither is changed."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        both_mappings = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[name] = merged(below, value) if both_mappings else value  # type: ignore[arg-type]
    return result
