"""Names that flags choose from; here so that `--help` needs no torch."""

from typing import Literal

Truncate = Literal["none", "response"]
Attention = Literal["segments", "sdpa", "eager", "flex_attention"]
