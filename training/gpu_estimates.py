"""Memory per card and time per step of the five targets, computed from stated formulas; nothing is measured here.

    python training/gpu_estimates.py

Reads nothing; prints two Markdown tables, which docs/training-costs.md carries. P counts parameters, T the tokens of
a pass, H, I, V and L are hidden size, MLP size, vocabulary and layers; GB are 1e9 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from fusechat.command_line import parse_args, run

# Assumptions, stated in the page beside the tables.
A100_BF16_FLOPS, UTILISATION = 312e12, 0.4
SFT_TOKENS, PAIR_TOKENS, BATCH_SIZE = 600, 1050, 128


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder, as its config.json has them."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    qkv_bias: bool = False
    norms_per_layer: int = 2

    @property
    def linear_sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of the seven linear layers of a decoder layer."""
        queries, keys = self.heads * self.head_size, self.key_heads * self.head_size
        attention = [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden)]
        return [*attention, (self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden)]

    @property
    def layer(self) -> int:
        """Parameters of a decoder layer."""
        bias = (self.heads + 2 * self.key_heads) * self.head_size if self.qkv_bias else 0
        return (
            sum(inputs * outputs for inputs, outputs in self.linear_sizes)
            + bias
            + self.norms_per_layer * self.hidden
        )

    @property
    def root(self) -> int:
        """Parameters outside of the layers: embeddings, head where it is its own, final norm."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden

    @property
    def parameters(self) -> int:
        """P."""
        return self.layers * self.layer + self.root

    def lora(self, rank: int) -> int:
        """Parameters of adapters on all linear layers."""
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.linear_sizes)


TARGETS = (
    Shape("Llama-3.1-8B-Instruct", 4096, 14336, 32, 32, 8, 128, 128256, tied=False),
    Shape("Qwen2.5-7B-Instruct", 3584, 18944, 28, 28, 4, 128, 152064, tied=False, qkv_bias=True),
    Shape("gemma-2-9b-it", 3584, 14336, 42, 16, 8, 256, 256000, tied=True, norms_per_layer=4),
    Shape("Llama-3.2-3B-Instruct", 3072, 8192, 28, 24, 8, 128, 128256, tied=True),
    Shape("Llama-3.2-1B-Instruct", 2048, 8192, 16, 32, 8, 64, 128256, tied=True),
)


def layer_bytes(shape: Shape, tokens: int) -> float:
    """What one layer keeps for its backward pass, 2 bytes a number.

    About its two normed inputs, queries, keys, values, attention's result and the residual sum (in all 6 H + 2 keys), and
    gate, up and their product (3 I).
    """
    return 2 * tokens * (6 * shape.hidden + 2 * shape.key_heads * shape.head_size + 3 * shape.inner)


def activation_bytes(shape: Shape, tokens: int, *, checkpointing: bool = True) -> float:
    """With checkpointing every layer's input in bf16, and one layer's results and their gradients; else all results."""
    one_layer = layer_bytes(shape, tokens)
    if checkpointing:
        return 2 * tokens * shape.hidden * shape.layers + 2 * one_layer
    return (shape.layers + 1) * one_layer


def head_bytes(shape: Shape, *, trained: bool) -> float:
    """A chunk of logits in bf16, a block of it in float32, and the head's float32 gradient where the head is trained."""
    from training.token_logps import LOGITS_PER_BLOCK, LOGITS_PER_CHUNK

    return (
        2 * LOGITS_PER_CHUNK + 4 * LOGITS_PER_BLOCK + (4 * shape.vocabulary * shape.hidden if trained else 0)
    )


def fsdp_bytes(
    shape: Shape, cards: int = 8, tokens: int = 8192, *, checkpointing: bool = True
) -> dict[str, float]:
    """Bytes on each card under FSDP2: sharded states, units gathered in bf16, activations, head."""
    return {
        # float32 weights 4, gradients 4, Adam 8.
        "states": 16 * shape.parameters / cards,
        # Root and two layers (one is fetched ahead): weights and gradients in bf16.
        "gathered": (2 + 2) * (shape.root + 2 * shape.layer),
        "activations": activation_bytes(shape, tokens, checkpointing=checkpointing),
        "head": head_bytes(shape, trained=True),
    }


def qlora_bytes(shape: Shape, rank: int = 64, tokens: int = 2048) -> dict[str, float]:
    """Bytes on one card: nf4 layers (4.127 bits a weight with double quantisation), the rest bf16, adapters."""
    return {
        "weights": 4.127 / 8 * shape.layers * shape.layer + 2 * shape.root,
        # float32 weight 4, gradient 4, paged 8-bit Adam 2.
        "adapters": 10 * shape.lora(rank),
        "activations": activation_bytes(shape, tokens),
        "head": head_bytes(shape, trained=False),
    }


def step_seconds(shape: Shape, tokens: int, flops_per_parameter: int, cards: int = 8) -> float:
    """Seconds of a step over `tokens` tokens."""
    return flops_per_parameter * shape.parameters * tokens / (cards * A100_BF16_FLOPS * UTILISATION)


def fsdp_table() -> list[str]:
    """8xA100-80GB."""
    lines = [
        "| target | P | states | gathered | activations | head | sum a card | without checkpointing | SFT step | LN-DPO step |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in TARGETS:
        parts = fsdp_bytes(shape)
        figures = [f"{value / 1e9:.1f}" for value in (*parts.values(), sum(parts.values()))]
        kept = sum(fsdp_bytes(shape, checkpointing=False).values())
        # 6 FLOP a parameter and token, 2 more for what is computed again; 2 more for the reference pass.
        sft = step_seconds(shape, BATCH_SIZE * SFT_TOKENS, 8)
        lndpo = step_seconds(shape, BATCH_SIZE * PAIR_TOKENS, 10)
        lines.append(
            f"| {shape.name} | {shape.parameters / 1e9:.3f}e9 | {' | '.join(figures)} GB | "
            f"{kept / 1e9:.1f} GB | {sft:.1f} s | {lndpo:.1f} s |"
        )
    return lines


def qlora_table() -> list[str]:
    """One 24 GB card."""
    lines = ["| target | weights | adapters | activations | head | sum |", "|---|---|---|---|---|---|"]
    for shape in TARGETS:
        parts = qlora_bytes(shape)
        figures = [f"{value / 1e9:.1f}" for value in (*parts.values(), sum(parts.values()))]
        lines.append(f"| {shape.name} | {' | '.join(figures)} GB |")
    return lines


@dataclass(kw_only=True)
class Args:
    """No settings."""


def main() -> None:
    """Command line."""
    parse_args(Args)
    print("\n".join([*fsdp_table(), "", *qlora_table()]))


if __name__ == "__main__":
    run(main)
