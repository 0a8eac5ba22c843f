"""Conversations as a reward model reads them: token ids, where the gate looks, truncation that keeps the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fusechat.chat import conversation_token_ids, end_of_turn_id, prompt_token_ids
from fusechat.errors import BadInput
from fusechat.records import Message
from scoring.prefix_batches import TokenIds

DEFAULT_MAX_LENGTH = 4096  # tokens; what the published pipeline truncates to
# How a user's turn ends and the answer's begins for the two families that ArmoRM was published for, white space
# left out. Their checkpoints do not say where the gate reads; it is the first token of this.
PUBLISHED_TURNS = {
    "llama": "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "gemma2": "<end_of_turn><start_of_turn>model",
}


@dataclass(frozen=True)
class Encoded:
    """A conversation as ids; `answer` ends with the end-of-turn token, also where it was truncated."""

    prompt: TokenIds
    answer: TokenIds
    truncated: bool


@dataclass(frozen=True)
class Refused:
    """Why a conversation cannot be scored."""

    kind: Literal["empty text", "longer than max_length", "refused by the chat template"]
    reason: str


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


def check_chat(model: str, tokenizer: Any) -> None:
    """BadInput where the chat template cannot even render a question with its answer."""
    try:
        conversation_token_ids(tokenizer, [Message("user", "a"), Message("assistant", "b")])
    except BadInput as error:
        raise BadInput(f"{model}: {error}") from None


def check_template(model: str, tokenizer: Any, config: Any, vocabulary: int) -> int:
    """The gate's offset. BadInput unless the tokenizer is the one that the model's gate was trained with.

    A fitted checkpoint says its offset. A published one does not: there the template must be its family's.
    """
    found = derive_gate_offset(tokenizer)
    expected = getattr(config, "gate_token_offset", None)
    fault = None
    if expected is not None and found != expected:
        fault = (
            f"the user's turn ends {found} tokens before the answer, the gate was trained {expected} before"
        )
    elif expected is None and found == 1:
        fault = "the user's turn is closed by no end-of-turn token, at which the gate reads"
    elif expected is None and config.model_type in PUBLISHED_TURNS:
        tail = prompt_token_ids(tokenizer, [Message("user", "a")])[-found:]
        turns = "".join(tokenizer.decode(tail, skip_special_tokens=False).split())
        if turns != PUBLISHED_TURNS[config.model_type]:
            fault = f"the answer follows {turns}, where {PUBLISHED_TURNS[config.model_type]} is expected"
    if fault:
        raise BadInput(
            f"{model}: its tokenizer has not the expected chat template: {fault}; "
            "use the tokenizer that belongs to the model"
        )
    if len(tokenizer) > vocabulary:
        raise BadInput(
            f"{model}: its tokenizer has {len(tokenizer)} tokens, its embeddings {vocabulary}; "
            "use the tokenizer that belongs to the model"
        )
    return found


def encode(tokenizer: Any, prompt: Sequence[Message], text: str, max_length: int) -> Encoded | Refused:
    """The conversation's ids, or the reason why it cannot be scored.

    Over-long answers lose their tail, and get their end-of-turn token back: the heads read at that token.
    """
    if not text.strip():
        return Refused("empty text", "empty text")
    try:
        ids, answer_start = conversation_token_ids(tokenizer, [*prompt, Message("assistant", text)])
    except BadInput as error:  # a system turn, say, that this family does not know; other chats may be fine
        return Refused("refused by the chat template", str(error))
    if len(ids) <= max_length:
        return Encoded(tuple(ids[:answer_start]), tuple(ids[answer_start:]), False)
    room = max_length - answer_start - 1
    if room < 1:
        return Refused(
            "longer than max_length",
            f"the prompt of {answer_start} tokens leaves no room for an answer within max_length {max_length}",
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
