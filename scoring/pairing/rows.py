"""The rows of sft.jsonl and dpo.jsonl: TRL's field names, the answers' texts fetched from disk one by one."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fusechat.records import Prompt
from scoring.pairing.answer_table import AnswerTable
from scoring.pairing.candidates import Candidate, Pair
from scoring.pairing.decisions import DatasetDecisions
from scoring.pairing.instruction import seeded_order
from scoring.pairing.located_lines import LineReader

# LLaMA-Factory takes the last turn's answers as one object each, TRL as a list of one: a pair has both.
LLAMA_FACTORY_COLUMNS = ("chosen_message", "rejected_message")


def sft_ids(datasets: Sequence[DatasetDecisions], seed: int) -> list[tuple[str, Candidate]]:
    """(prompt id, answer) of every SFT row, in the order of the file: mixed over datasets by the seed."""
    answers = {
        prompt_id: decision.sft
        for group in datasets
        for prompt_id, decision in group.sft()
        if decision.sft is not None
    }
    return [(prompt_id, answers[prompt_id]) for prompt_id in seeded_order(answers, seed)]


def dpo_ids(datasets: Sequence[DatasetDecisions], seed: int) -> list[tuple[str, Pair]]:
    """(prompt id, pair) of every DPO row, in the order of the file."""
    pairs = {prompt_id: decision.pairs for group in datasets for prompt_id, decision in group.dpo()}
    return [(prompt_id, pair) for prompt_id in seeded_order(pairs, seed) for pair in pairs[prompt_id]]


class RowMaker:
    """Makes rows from decisions; reads one answer's text at a time."""

    def __init__(
        self,
        table: AnswerTable,
        prompts: Mapping[str, Prompt],
        reader: LineReader,
        *,
        llama_factory_columns: bool,
    ) -> None:
        self._table, self._prompts, self._reader = table, prompts, reader
        self._llama_factory_columns = llama_factory_columns
        self._response_ids = table.response_ids()

    def sft_row(self, prompt_id: str, answer: Candidate) -> dict[str, Any]:
        """One line of sft.jsonl; rm_score is null for answers that need none (Chinese)."""
        prompt = self._prompts[prompt_id]
        return {
            "messages": [*msgspec.to_builtins(prompt.messages), self._turn(answer)],
            "prompt_id": prompt_id,
            "dataset": prompt.dataset,
            "domain": prompt.domain,
            "source": answer.source,
            "rm_score": score_or_none(answer),
            "response_id": self.response_id(answer),
        }

    def dpo_row(self, prompt_id: str, pair: Pair) -> dict[str, Any]:
        """One line of dpo.jsonl; source is the chosen answer's, rejected_source the other's."""
        prompt = self._prompts[prompt_id]
        chosen, rejected = self._turn(pair.chosen), self._turn(pair.rejected)
        row = {
            "prompt": msgspec.to_builtins(prompt.messages),
            "chosen": [chosen],
            "rejected": [rejected],
            "prompt_id": prompt_id,
            "dataset": prompt.dataset,
            "domain": prompt.domain,
            "source": pair.chosen.source,
            "rejected_source": pair.rejected.source,
            "chosen_rm_score": pair.chosen.rm_score,
            "rejected_rm_score": pair.rejected.rm_score,
            "margin": pair.margin,
            "chosen_response_id": self.response_id(pair.chosen),
            "rejected_response_id": self.response_id(pair.rejected),
            "pair_id": self.pair_id(pair),
        }
        if self._llama_factory_columns:
            row.update(zip(LLAMA_FACTORY_COLUMNS, (chosen, rejected), strict=True))
        return row

    def response_id(self, answer: Candidate) -> str:
        """The id of an answer."""
        return self._response_ids[answer.row]

    def pair_id(self, pair: Pair) -> str:
        """An id made of both answers' ids."""
        both = f"{self.response_id(pair.chosen)}\x1f{self.response_id(pair.rejected)}"
        return hashlib.sha256(both.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def _turn(self, answer: Candidate) -> dict[str, str]:
        return {"role": "assistant", "content": self._table.read_text(answer.row, self._reader)}

    def missing_sft_rows(
        self, planned: Sequence[tuple[str, Candidate]], done: set[str]
    ) -> Iterator[dict[str, Any]]:
        """SFT rows that are not written yet."""
        for prompt_id, answer in planned:
            if self.response_id(answer) not in done:
                yield self.sft_row(prompt_id, answer)

    def missing_dpo_rows(
        self, planned: Sequence[tuple[str, Pair]], done: set[str]
    ) -> Iterator[dict[str, Any]]:
        """DPO rows that are not written yet."""
        for prompt_id, pair in planned:
            if self.pair_id(pair) not in done:
                yield self.dpo_row(prompt_id, pair)


def score_or_none(answer: Candidate) -> float | None:
    """The RM score, or None where the answer has none."""
    return answer.rm_score if answer.rm_score == answer.rm_score else None
