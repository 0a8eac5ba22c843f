"""A tiny model that has learned to answer one text to everything: a judge whose verdicts are known."""

import random
from pathlib import Path
from typing import Any

from tiny_models import make_tiny_model

# AlpacaEval takes the first token, MT-Bench [[8]], Arena-Hard [[A>B]], AlignBench the dictionary.
JUDGE_TEXT = "m [[8]] [[A>B]] {'综合得分': 7}"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:|{}[]<>=_-问数学rd\n"
# The most that its server may answer, in tokens; the text has about forty.
MAX_TOKENS = 64


def make_constant_judge(folder: Path, steps: int = 160) -> Path:
    """Trains on random chats of many lengths until the text follows each of them; returns the model's folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    make_tiny_model(folder, "llama", hidden_size=128, seed=5, max_position_embeddings=8192)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    answer = [
        # The name stands alone, as in a chat model's vocabulary.
        *tokenizer("m", add_special_tokens=False)["input_ids"],
        *tokenizer(JUDGE_TEXT[1:], add_special_tokens=False)["input_ids"],
        tokenizer.eos_token_id,
    ]
    chooser = random.Random(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    for _ in range(steps):
        rows = [[*random_prompt(tokenizer, chooser), *answer] for _ in range(8)]
        longest = max(map(len, rows))
        # Padding stands in front, as the last token of every row is the answer's.
        inputs = torch.tensor(
            [[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows]
        )  # (8, T)
        labels = inputs.clone()
        labels[:, : longest - len(answer)] = -100
        mask = (torch.arange(longest) >= torch.tensor([[longest - len(row)] for row in rows])).long()
        loss = model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.save_pretrained(folder)
    return folder


def random_prompt(tokenizer: Any, chooser: random.Random) -> list[int]:
    """The ids of a chat of random letters, with or without a system turn."""
    turns = []
    for role in ("system", "user") if chooser.random() < 0.7 else ("user",):
        content = "".join(chooser.choices(LETTERS, k=chooser.randint(1, 90)))
        turns.append({"role": role, "content": content})
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]
