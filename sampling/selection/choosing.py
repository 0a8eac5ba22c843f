"""The choice: candidates of all datasets in a fixed order, through validation and the checks against each other."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from fusechat.records import Prompt
from sampling.selection.candidate_pool import CandidatePool
from sampling.selection.decontamination import Questions
from sampling.selection.drafts import Draft, digest, text_of
from sampling.selection.near_duplicates import NearDuplicates
from sampling.selection.settings import DatasetSettings, NearDuplicateSettings

# Draft lists in, one reason (or None for "passes its own tests") per draft out.
Validate = Callable[[list[Draft]], list[str | None]]
VALIDATION_BATCH = 256


class Drop(msgspec.Struct):
    """A candidate that was dropped, for the report of --report-dropped."""

    prompt_id: str
    dataset: str
    reason: str
    detail: str
    text: str


@dataclass
class Choice:
    """The ids chosen of one dataset, and what was dropped for which reason."""

    prompt_ids: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


class Chooser:
    """Goes through one dataset after the other and remembers what is kept."""

    def __init__(
        self,
        near_duplicate_settings: NearDuplicateSettings,
        questions: Questions | None,
        validate: Validate | None,
        report: Callable[[Drop], None],
    ) -> None:
        self._near_duplicates = NearDuplicates(near_duplicate_settings)
        self._questions, self._validate, self._report = questions, validate, report
        self._kept_texts: dict[int, str] = {}

    def choose(
        self,
        pool: CandidatePool,
        settings: DatasetSettings,
        seed: int,
        keep: Callable[[Prompt], None],
        count: Callable[[], None] = lambda: None,
    ) -> Choice:
        """Hands prompts to `keep` in the pool's seeded order until the cap is reached; `count` is called for each looked at."""
        choice = Choice()
        considered = 0
        for draft, fault in self._validated(pool.in_order(seed)):
            if settings.max_prompts is not None and len(choice.prompt_ids) >= settings.max_prompts:
                break
            considered += 1
            count()
            reason, detail = (
                ("tests fail on the own solution", fault) if fault else self._compare(draft, settings)
            )
            if reason:
                choice.dropped[reason] += 1
                prompt = draft.prompt
                self._report(
                    Drop(prompt.prompt_id, prompt.dataset, reason, detail, prompt.messages[-1].content)
                )
            else:
                choice.prompt_ids.append(draft.prompt.prompt_id)
                keep(draft.prompt)
        over = len(pool) - pool.conflicts - considered
        if over:
            choice.dropped["over the cap"] += over
        return choice

    def _compare(self, draft: Draft, settings: DatasetSettings) -> tuple[str, str]:
        """("", "") for a prompt to keep, which is then remembered; else the reason and what it collides with."""
        text = text_of(draft.prompt)
        key = digest(text)
        if key in self._kept_texts:
            return "duplicate in another dataset", self._kept_texts[key]
        if self._questions is not None:
            place = self._questions.overlap(text)
            if place is not None:
                return "in a benchmark", place
        if settings.near_duplicates != "never":
            signature = self._near_duplicates.signature(text)
            numbers_count = settings.near_duplicates == "text_and_numbers"
            twin = self._near_duplicates.find(text, signature, numbers_count=numbers_count)
            if twin is not None:
                return "near-duplicate", twin
            self._near_duplicates.keep(draft.prompt.prompt_id, text, signature)
        self._kept_texts[key] = draft.prompt.prompt_id
        return "", ""

    def _validated(self, drafts: Iterator[Draft]) -> Iterator[tuple[Draft, str | None]]:
        """Each draft with what is wrong with its tests; solutions are run in batches."""
        batch: list[Draft] = []
        for draft in drafts:
            if draft.reference_code is None or self._validate is None:
                yield draft, None
                continue
            batch.append(draft)
            if len(batch) == VALIDATION_BATCH:
                yield from zip(batch, self._validate(batch), strict=True)
                batch = []
        if batch and self._validate is not None:
            yield from zip(batch, self._validate(batch), strict=True)
