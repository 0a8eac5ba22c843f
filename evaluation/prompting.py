"""Chats of benchmark items as token ids, for any model family.

A template that refuses system messages (Gemma) gets the system text in front of the user's; the "bare" style
leaves out what a template adds by itself: the date lines of Llama-3.1, the default system sentence of Qwen-2.5.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.benchmark import Generating, Item
from fusechat.chat import end_of_turn_id, prompt_token_ids
from fusechat.errors import BadInput

# The turns of Llama-3 and of ChatML, and nothing else.
BARE_LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
BARE_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# End-of-turn and end-of-text tokens of the families; those that a tokenizer has stop its answers.
END_TOKENS = (
    "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<eos>", "</s>",
)  # fmt: skip


class Prompter:
    """Makes the token ids of items for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.bare_tokenizer = _bare(tokenizer)
        self.takes_system = _takes_system(tokenizer)
        vocabulary = tokenizer.get_vocab()
        ends = {vocabulary[token] for token in END_TOKENS if token in vocabulary}
        self.stop_token_ids = tuple(sorted(ends | {end_of_turn_id(tokenizer), tokenizer.eos_token_id}))

    def token_ids(self, item: Item, generating: Generating, earlier: Sequence[str] = ()) -> list[int]:
        """The prompt of an item, its prefill opened; `earlier` holds the answers of the turns before."""
        messages = list(item.messages)
        for answer, turn in zip(earlier, item.later_turns, strict=False):
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": turn}]
        if not self.takes_system:
            messages = merge_system(messages, behind=bool(item.fields.get("system_behind")))
        tokenizer = self.bare_tokenizer if generating.chat_style == "bare" else self.tokenizer
        ids = prompt_token_ids(tokenizer, messages)
        if item.prefill:
            ids = ids + tokenizer(item.prefill, add_special_tokens=False)["input_ids"]
        return ids


def merge_system(messages: Sequence[Mapping[str, str]], behind: bool = False) -> list[dict[str, str]]:
    """The system text in front of the first user turn, or behind it."""
    if not messages or messages[0]["role"] != "system":
        return [dict(message) for message in messages]
    texts = [messages[0]["content"], messages[1]["content"]]
    first = {"role": messages[1]["role"], "content": "\n\n".join(reversed(texts) if behind else texts)}
    return [first, *(dict(message) for message in messages[2:])]


def _takes_system(tokenizer: Any) -> bool:
    probe = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    try:
        prompt_token_ids(tokenizer, probe)
    except BadInput:
        return False
    return True


def _bare(tokenizer: Any) -> Any:
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    if "<|start_header_id|>" in template:
        bare = BARE_LLAMA3
    elif "<|im_start|>" in template:
        bare = BARE_CHATML
    else:
        return tokenizer
    twin = copy.copy(tokenizer)
    twin.chat_template = bare
    return twin
