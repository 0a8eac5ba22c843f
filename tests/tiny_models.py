"""Tiny random models with real, trained tokenizers and chat templates, for tests of the whole path."""

from pathlib import Path
from typing import Any, Literal

Family = Literal["llama", "qwen2", "gemma2"]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TEMPLATES: dict[Family, tuple[str, dict[str, str], list[str]]] = {
    "llama": (
        LLAMA3,
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|pad|>"},
        ["<|start_header_id|>", "<|end_header_id|>"],
    ),
    "qwen2": (CHATML, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, ["<|im_start|>"]),
    "gemma2": (
        GEMMA,
        {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"},
        ["<start_of_turn>", "<end_of_turn>"],
    ),
}
TRAINING_TEXT = [
    "What is 12 plus 7? The answer is 19. Sam has 3 apples and buys 4 more apples at the market.",
    "def add(a, b):\n    return a + b\n\nassert add(1, 2) == 3\n",
    "Name three colours of the rainbow. Red, green and blue are three colours that many people like.",
    "请用中文回答:天空是什么颜色?天空是蓝色的。",
    "She sells 15 books for 2 dollars each, so she earns 15 * 2 = 30 dollars. #### 30",
]


def make_tiny_tokenizer(family: Family, vocab_size: int = 512) -> Any:
    """A byte-level BPE tokenizer of the family's special tokens and template; Llama and Gemma add BOS."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    template, named, others = TEMPLATES[family]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[*named.values(), *others],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TRAINING_TEXT, trainer)
    if "bos_token" in named:
        bos = named["bos_token"]
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, additional_special_tokens=others, model_max_length=4096, **named
    )
    tokenizer.chat_template = template
    return tokenizer


def random_model(family: str, config: dict[str, Any]) -> Any:
    """A causal LM of this family with the weights that transformers starts from."""
    import transformers

    prefix = {"llama": "Llama", "qwen2": "Qwen2", "gemma2": "Gemma2"}[family]
    return getattr(transformers, f"{prefix}ForCausalLM")(getattr(transformers, f"{prefix}Config")(**config))


def make_tiny_model(
    folder: Path,
    family: Family = "llama",
    *,
    vocab_size: int = 512,
    hidden_size: int = 64,
    layers: int = 2,
    seed: int = 0,
    **config: Any,
) -> Path:
    """Writes a tiny random causal LM with tokenizer and chat template; returns the folder.

    Llama: Llama-3's template and BOS. Qwen2: ChatML, no BOS. Gemma-2: soft-capping and a sliding window of
    8 tokens in every other layer, so that both are felt at test lengths. Further `config` goes to the model's.
    """
    import torch

    tokenizer = make_tiny_tokenizer(family, vocab_size)
    shape: dict[str, Any] = {
        "vocab_size": max(vocab_size, len(tokenizer)),
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **config,
    }
    torch.manual_seed(seed)
    if family == "gemma2":
        head_dim = hidden_size // 4
        shape = {"head_dim": head_dim, "query_pre_attn_scalar": head_dim, "sliding_window": 8, **shape}
    model = random_model(family, shape)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
