"""Which answers a run samples: every prompt of the source's domains, n answers each, a seed for every one."""

import hashlib
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass

from fusechat.inputs import Shard
from fusechat.records import Domain, Prompt, Response, response_id_of

OTHER_DOMAIN = "other_domain"


@dataclass(frozen=True)
class PlannedAnswer:
    """One answer to sample."""

    response_id: str
    prompt: Prompt
    sample_index: int
    seed: int


def answer_seed(run_seed: int, prompt_id: str, sample_index: int) -> int:
    """The seed of one answer: 48 bits of SHA-256 over what identifies it.

    It depends on nothing else, so an answer keeps its seed in a resumed run, in another shard, and when
    prompts or samples are added. 48 bits fit any reader's integers, JavaScript's too.
    """
    digest = hashlib.sha256(f"{run_seed}\0{prompt_id}\0{sample_index}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


class AnswerPlan:
    """The answers of one source to one shard of the prompts, in their final order."""

    def __init__(
        self,
        prompts: dict[str, Prompt],
        *,
        source: str,
        samples_per_prompt: dict[Domain, int],
        run_seed: int,
        shard: Shard,
    ) -> None:
        """samples_per_prompt: answers per prompt by domain; a domain that is missing is not answered."""
        self.source, self.samples_per_prompt, self.run_seed = source, samples_per_prompt, run_seed
        mine = [prompt for position, prompt in enumerate(prompts.values()) if shard.owns(position)]
        self.prompts_read = len(mine)
        self.prompts = [prompt for prompt in mine if samples_per_prompt.get(prompt.domain, 0) > 0]
        # Reasons for which prompts were not sampled, and how many prompts each.
        self.skipped: Counter[str] = Counter()
        if len(self.prompts) < len(mine):
            self.skipped[OTHER_DOMAIN] = len(mine) - len(self.prompts)
        self._skipped_ids: set[str] = set()

    @property
    def num_answers(self) -> int:
        """Answers of the whole plan, those of prompts that turn out to be skipped among them."""
        return sum(self.samples_per_prompt[prompt.domain] for prompt in self.prompts)

    def answers(self) -> Iterator[PlannedAnswer]:
        """All answers in their final order: by prompt, then by sample index; those of skipped prompts too."""
        for prompt in self.prompts:
            yield from self.answers_of(prompt)

    def answers_of(self, prompt: Prompt) -> Iterator[PlannedAnswer]:
        """The answers of one prompt."""
        for index in range(self.samples_per_prompt[prompt.domain]):
            yield PlannedAnswer(
                response_id_of(prompt.prompt_id, self.source, index),
                prompt,
                index,
                answer_seed(self.run_seed, prompt.prompt_id, index),
            )

    def missing(self, done: Container[str]) -> Iterator[tuple[Prompt, list[PlannedAnswer]]]:
        """Prompts that still miss answers, with these."""
        for prompt in self.prompts:
            wanted = [answer for answer in self.answers_of(prompt) if answer.response_id not in done]
            if wanted:
                yield prompt, wanted

    def skip(self, prompt: Prompt, reason: str) -> None:
        """Counts once why a prompt is not sampled."""
        if prompt.prompt_id not in self._skipped_ids:
            self._skipped_ids.add(prompt.prompt_id)
            self.skipped[reason] += 1

    def response(
        self, answer: PlannedAnswer, *, text: str, finish_reason: str, num_tokens: int | None
    ) -> Response:
        """The record of a finished answer."""
        return Response(
            response_id=answer.response_id,
            prompt_id=answer.prompt.prompt_id,
            source=self.source,
            sample_index=answer.sample_index,
            text=text,
            finish_reason="length" if finish_reason == "length" else "stop",
            num_tokens=num_tokens,
            seed=answer.seed,
        )
