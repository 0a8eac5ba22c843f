"""Chats as token ids: exactly one BOS, the model's own template, and no forged turns.

Everything downstream works on token ids made here once, never on rendered text that another tokenizer call
would give a second BOS. Text inside a message that looks like a special token (`<|eot_id|>`) is encoded as
the plain characters it is, so no answer can close its own turn.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from fusechat.errors import BadInput

# Llama-3.2's template writes today's date into the system block unless it is given one: prompts would
# change over night, and cached reference log-probs with them. Llama-3.1's own default date is used.
TEMPLATE_DATE = "26 Jul 2024"
# Private-use characters that stand for a special token's text while the template is rendered.
MARK_START, MARK_END = "\uf8f0", "\uf8f1"


def load_tokenizer(model: str | Path) -> Any:
    """The tokenizer of a folder or Hub id. BadInput without a chat template or without an EOS token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{model}: no tokenizer can be loaded: {_one_line(error)}") from None
    if not getattr(tokenizer, "chat_template", None):
        raise BadInput(
            f"{model}: its tokenizer has no chat template; add chat_template.jinja to the folder "
            "(a base model needs one of your own)"
        )
    if tokenizer.eos_token_id is None:
        raise BadInput(f"{model}: its tokenizer has no EOS token; set eos_token in tokenizer_config.json")
    return tokenizer


def prompt_token_ids(tokenizer: Any, messages: Sequence[Any]) -> list[int]:
    """Token ids of a chat that ends with a user turn, with the generation prompt behind it; one BOS.

    messages: Message records or mappings with role and content.
    """
    text, marked = _render(tokenizer, messages, add_generation_prompt=True)
    return _one_bos(tokenizer, _encode(tokenizer, text, marked))


def conversation_token_ids(tokenizer: Any, messages: Sequence[Any]) -> tuple[list[int], int]:
    """(ids, response_start) of a chat that ends with an assistant turn.

    `ids` ends with the end-of-turn token of that turn and nothing after it. `ids[:response_start]` are
    exactly `prompt_token_ids` of the chat without its last turn, so what is trained is what is generated.
    Raises BadInput where the template renders the earlier turns differently once the answer follows.
    """
    prompt_text, prompt_marked = _render(tokenizer, messages[:-1], add_generation_prompt=True)
    full_text, full_marked = _render(tokenizer, messages, add_generation_prompt=False)
    if not full_text.startswith(prompt_text):
        raise BadInput(
            "the chat template renders the prompt differently when the answer follows, so the answer's tokens "
            "cannot be told apart; use a template whose generation prompt opens the assistant turn"
        )
    prompt_ids = _one_bos(tokenizer, _encode(tokenizer, prompt_text, prompt_marked))
    ids = _one_bos(tokenizer, _encode(tokenizer, full_text, full_marked))
    if ids[: len(prompt_ids)] != prompt_ids:
        # An answer that begins with a newline merges with the prompt's last one. A generating model sees
        # the prompt's ids fixed, so the answer is encoded on its own behind them.
        ids = prompt_ids + _encode(tokenizer, full_text[len(prompt_text) :], full_marked)
    end = end_of_turn_id(tokenizer)
    for position in range(len(ids) - 1, len(prompt_ids) - 1, -1):
        if ids[position] == end:
            return ids[: position + 1], len(prompt_ids)
    raise BadInput(
        "the chat template leaves this assistant turn without its end-of-turn token; mend the template"
    )


def end_of_turn_id(tokenizer: Any) -> int:
    """Id of the special token with which the chat template closes an assistant turn."""
    key = (tokenizer.chat_template, tokenizer.eos_token_id, len(tokenizer))
    cache: dict[Any, int] = tokenizer.__dict__.setdefault("_fusechat_end_of_turn", {})
    if key not in cache:
        probe = [{"role": "user", "content": "a"}]
        opened, _ = _render(tokenizer, probe, add_generation_prompt=True)
        closed, _ = _render(
            tokenizer, [*probe, {"role": "assistant", "content": "b"}], add_generation_prompt=False
        )
        special = _special_ids(tokenizer)
        turn = _encode(tokenizer, closed[len(opened) :], {})
        endings = [token for token in turn if token in special]
        if not endings:
            raise BadInput(
                "the chat template closes an assistant turn with no special token; add EOS behind it"
            )
        cache[key] = endings[0]
    return cache[key]


def _render(
    tokenizer: Any, messages: Sequence[Any], *, add_generation_prompt: bool
) -> tuple[str, dict[str, str]]:
    """The template's text, and the special-token texts of the contents by the marks that stand for them."""
    plain: list[dict[str, str]] = []
    marked: dict[str, str] = {}
    pattern = _special_pattern(tokenizer)
    for message in messages:
        turn = dict(message) if isinstance(message, Mapping) else msgspec.to_builtins(message)

        def mark(match: re.Match[str]) -> str:
            name = f"{MARK_START}{len(marked)}{MARK_END}"
            marked[name] = match.group()
            return name

        turn["content"] = pattern.sub(mark, turn["content"]) if pattern else turn["content"]
        plain.append(turn)
    try:
        text = tokenizer.apply_chat_template(
            plain, tokenize=False, add_generation_prompt=add_generation_prompt, date_string=TEMPLATE_DATE
        )
    except Exception as error:
        if type(error).__module__.startswith("jinja2"):
            raise BadInput(f"the chat template refuses this chat: {_one_line(error)}") from None
        raise
    return text, marked


def _encode(tokenizer: Any, text: str, marked: Mapping[str, str]) -> list[int]:
    if not marked:
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    ids: list[int] = []
    for piece in re.split(f"({MARK_START}[0-9]+{MARK_END})", text):
        if piece in marked:
            ids += tokenizer(marked[piece], add_special_tokens=False, split_special_tokens=True)["input_ids"]
        elif piece:
            ids += tokenizer(piece, add_special_tokens=False)["input_ids"]
    return ids


def _one_bos(tokenizer: Any, ids: list[int]) -> list[int]:
    bos = tokenizer.bos_token_id
    if bos is None:
        return ids
    if ids[:2] == [bos, bos]:
        return ids[1:]
    if ids[:1] != [bos] and tokenizer("a")["input_ids"][:1] == [bos]:
        return [bos, *ids]
    return ids


def _special_ids(tokenizer: Any) -> set[int]:
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | set(tokenizer.all_special_ids)


def _special_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    texts = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return _compiled(frozenset(texts | set(tokenizer.all_special_tokens)))


@lru_cache(maxsize=16)
def _compiled(texts: frozenset[str]) -> re.Pattern[str] | None:
    wanted = sorted((text for text in texts if text), key=lambda text: (-len(text), text))
    return re.compile("|".join(re.escape(text) for text in wanted)) if wanted else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
