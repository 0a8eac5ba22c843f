"""Conversations as a reward model reads them: token ids, where the gate looks, truncation that keeps the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fusechat.chat import conversation_token_ids, end_of_turn_id, prompt_token_ids
from fusechat.errors import BadInput
from fusechat.records import Message
from scoring.prefix_batches import TokenIds

DEFAULT_MAX_LENGTH = 4096  # tokens; what the published pipeline truncates to


@dataclass(frozen=True)
class Encoded:
    """A conversation as ids; `answer` ends with the end-of-turn token, also where it was truncated."""

    prompt: TokenIds
    answer: TokenIds
    truncated: bool


def derive_gate_offset(tokenizer: Any) -> int:
    """Tokens from the end-of-turn token that closes the user's turn to the prompt's end (5 for Llama-3).

    Content is never parsed for special tokens, so this holds for every prompt of the template. Where a
    template closes user turns with no end-of-turn token of their own, the gate reads the prompt's last token.
    """
    probe = prompt_token_ids(tokenizer, [Message("user", "a")])
    end = end_of_turn_id(tokenizer)
    for offset in range(1, len(probe) + 1):
        if probe[-offset] == end:
            return offset
    return 1


def check_template(model: str, tokenizer: Any, expected_offset: int | None, vocabulary: int) -> int:
    """The gate's offset. BadInput unless the tokenizer is the one that the model's gate was trained with.

    The published checkpoint does not say its offset: there the user's turn must end with an end-of-turn token.
    """
    found = derive_gate_offset(tokenizer)
    if expected_offset is None and found == 1:
        raise BadInput(
            f"{model}: its tokenizer has not the expected chat template: the user's turn is closed by no end-of-turn "
            "token, at which the gate reads; use the tokenizer that belongs to the model"
        )
    if expected_offset is not None and found != expected_offset:
        raise BadInput(
            f"{model}: its tokenizer has not the expected chat template: the user's turn ends {found} tokens before "
            f"the answer, the gate was trained {expected_offset} before; use the tokenizer that belongs to the model"
        )
    if len(tokenizer) > vocabulary:
        raise BadInput(
            f"{model}: its tokenizer has {len(tokenizer)} tokens, its embeddings {vocabulary}; "
            "use the tokenizer that belongs to the model"
        )
    return found


def encode(tokenizer: Any, prompt: Sequence[Message], text: str, max_length: int) -> Encoded | str:
    """The conversation's ids, or the reason why it cannot be scored.

    Over-long answers lose their tail, and get their end-of-turn token back: the heads read at that token.
    """
    if not text.strip():
        return "empty text"
    ids, answer_start = conversation_token_ids(tokenizer, [*prompt, Message("assistant", text)])
    if len(ids) <= max_length:
        return Encoded(tuple(ids[:answer_start]), tuple(ids[answer_start:]), False)
    room = max_length - answer_start - 1
    if room < 1:
        return (
            f"the prompt of {answer_start} tokens leaves no room for an answer within max_length {max_length}"
        )
    kept = ids[answer_start : answer_start + room]
    return Encoded(tuple(ids[:answer_start]), (*kept, end_of_turn_id(tokenizer)), True)


def resolve_max_length(requested: int | None, config: Any) -> int:
    """The longest conversation in tokens: as asked for, never more than the model has positions."""
    limit = (
        getattr(config.get_text_config(), "max_position_embeddings", None) or requested or DEFAULT_MAX_LENGTH
    )
    if requested is not None and requested > limit:
        raise BadInput(
            f"--max-length: is {requested}, but the model has {limit} positions; give at most that"
        )
    return requested or min(DEFAULT_MAX_LENGTH, limit)
