"""From planned answers to requests: token ids for vLLM by the source's own template, messages for a server."""

from collections.abc import Iterator, Set
from typing import Any

import msgspec

from fusechat.chat import load_tokenizer, prompt_token_ids
from fusechat.errors import BadInput
from fusechat.generation import GenerationRequest
from fusechat.vllm_engine import stop_token_ids
from sampling.answer_plan import AnswerPlan, PlannedAnswer
from sampling.answer_server import ServerRequest
from sampling.sources import Source


def engine_requests(
    plan: AnswerPlan, done: Set[str], source: Source, max_model_len: int
) -> Iterator[tuple[PlannedAnswer, GenerationRequest]]:
    """Every answer still missing with its request to vLLM; prompts that do not fit are skipped and counted.

    The answers of a prompt follow one another, so that they share its prefill. No system turn is added: a
    template that brings a default one (Qwen's) keeps it, one that has none (Gemma's) gets none.
    """
    tokenizer = load_tokenizer(source.model)
    stop_ids = stop_token_ids(source.model, tokenizer)
    for prompt, answers in plan.missing(done):
        try:
            token_ids = prompt_token_ids(tokenizer, prompt.messages)
        except BadInput:  # a system turn, say, and a template that has none
            plan.skip(prompt, "refused_by_chat_template")
            continue
        if len(token_ids) + source.max_tokens > max_model_len:
            plan.skip(prompt, "too_long_for_model")
            continue
        for answer in answers:
            request = GenerationRequest(
                request_id=answer.response_id,
                prompt_token_ids=token_ids,
                max_tokens=source.max_tokens,
                temperature=source.temperature,
                top_p=source.top_p,
                top_k=source.top_k,
                min_p=source.min_p,
                repetition_penalty=source.repetition_penalty,
                stop=source.stop,
                stop_token_ids=stop_ids,
                seed=answer.seed,
            )
            yield answer, request


def server_requests(
    plan: AnswerPlan, done: Set[str], source: Source
) -> Iterator[tuple[PlannedAnswer, ServerRequest]]:
    """The same for a chat server, which templates and counts tokens itself."""
    settings: dict[str, Any] = {
        "model": source.model,
        "max_tokens": source.max_tokens,
        "temperature": source.temperature,
        "top_p": source.top_p,
    }
    # vLLM knows these; a hosted model that does not refuses unknown fields, so only those in use are sent.
    for name, unused in (("top_k", 0), ("min_p", 0.0), ("repetition_penalty", 1.0), ("stop", [])):
        if getattr(source, name) != unused:
            settings[name] = getattr(source, name)
    for prompt, answers in plan.missing(done):
        messages = msgspec.to_builtins(prompt.messages)
        for answer in answers:
            body = {**settings, "messages": messages, "seed": answer.seed}
            yield answer, ServerRequest(answer.response_id, body)
