"""The dataset_info.json by which LLaMA-Factory reads sft.jsonl and dpo.jsonl as they are.

Format: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md (sharegpt format with OpenAI's role
names; for preferences, the two answers are one object each).
"""

from typing import Any

from scoring.pairing.rows import LLAMA_FACTORY_COLUMNS

TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def dataset_info(*, with_pairs: bool) -> dict[str, Any]:
    """The entries `fusechat_sft` and, where dpo.jsonl has LLaMA-Factory's columns, `fusechat_dpo`."""
    info: dict[str, Any] = {
        "fusechat_sft": {
            "file_name": "sft.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": TAGS,
        }
    }
    if with_pairs:
        chosen, rejected = LLAMA_FACTORY_COLUMNS
        info["fusechat_dpo"] = {
            "file_name": "dpo.jsonl",
            "ranking": True,
            "formatting": "sharegpt",
            "columns": {"messages": "prompt", "chosen": chosen, "rejected": rejected},
            "tags": TAGS,
        }
    return info
