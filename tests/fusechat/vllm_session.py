"""One start of the real engine for all tests of it: runs in a process of its own, prints what it saw as JSON.

In-process vLLM leaves traces (thread settings, memory binding) that other tests of this suite must not feel.

Run: python tests/fusechat/vllm_session.py MODEL_FOLDER
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from fusechat.chat import load_tokenizer, prompt_token_ids
from fusechat.errors import BadInput
from fusechat.vllm_engine import GenerationRequest, VLLMEngine, stop_token_ids


def main(model: str) -> dict[str, Any]:
    """Asks one engine all the questions that the tests have."""
    import torch

    tokenizer = load_tokenizer(model)
    stop_ids = stop_token_ids(model, tokenizer)
    set_num_threads = torch.set_num_threads
    seen: dict[str, Any] = {}

    def request(name: str, words: int = 20, **settings: Any) -> GenerationRequest:
        ids = prompt_token_ids(tokenizer, [{"role": "user", "content": f"{name} " + "apples " * words}])
        settings = {"max_tokens": 12, "temperature": 1.0, "stop_token_ids": stop_ids, **settings}
        return GenerationRequest(request_id=name, prompt_token_ids=ids, **settings)

    with VLLMEngine(model, max_model_len=1024, max_num_seqs=8, max_in_flight=8) as engine:
        seen["max_model_len"] = engine.max_model_len
        seen["ld_preload"] = os.environ.get("LD_PRELOAD")

        # More prompt tokens than one step takes, each prompt seeded: vLLM would prefill one of them in pieces.
        long = [request(f"long {i}", words=300, seed=i) for i in range(40)]
        seen["prompt_tokens"] = sum(len(item.prompt_token_ids) for item in long)
        seen["first"] = {result.request_id: result.text for result in engine.generate(long)}
        seen["again"] = {result.request_id: result.text for result in engine.generate(reversed(long))}
        other = [request(f"long {i}", words=300, seed=1000 + i) for i in range(40)]
        seen["other_seeds"] = {result.request_id: result.text for result in engine.generate(other)}

        read: list[str] = []

        def lazily() -> Iterator[GenerationRequest]:
            for i in range(30):
                read.append(f"lazy {i}")
                yield request(f"lazy {i}", seed=i)

        answers = engine.generate(lazily())
        next(answers)
        seen["read_at_first_answer"] = len(read)
        seen["rest"] = sum(1 for _ in answers)

        abandoned = engine.generate(request(f"abandoned {i}", max_tokens=500) for i in range(8))
        next(abandoned)
        abandoned.close()
        seen["after_abandoned"] = [result.request_id for result in engine.generate([request("fresh")])]

        results = engine.generate([request("cut", max_tokens=3, temperature=0.0, stop_token_ids=())])
        seen["cut"] = [[r.num_tokens, r.finish_reason] for r in results]
        everything = list(range(len(tokenizer)))
        results = engine.generate([request("stopped", max_tokens=50, stop_token_ids=everything)])
        seen["stopped"] = [[r.num_tokens, r.finish_reason] for r in results]
        try:
            list(engine.generate([request("too long", words=3000)]))
        except BadInput as error:
            seen["too_long"] = str(error)
        seen["after_refusal"] = [result.request_id for result in engine.generate([request("still alive")])]
    seen["threads_restored"] = torch.set_num_threads is set_num_threads
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
