"""Source models and their sampling parameters, read from sources.yaml with every key checked."""

from pathlib import Path
from typing import get_args

import msgspec

from fusechat.command_line import read_yaml
from fusechat.errors import BadInput
from fusechat.records import Domain

DOMAINS: tuple[Domain, ...] = get_args(Domain)
# The report's numbers of answers per prompt; it does not state the one for maths, 5 as for instructions.
SAMPLES_PER_PROMPT: dict[Domain, int] = {"instruction": 5, "math": 5, "code": 8, "chinese": 1}


class Source(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A source model; the keys of sources.yaml, which explains them."""

    model: str
    temperature: float
    top_p: float
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 2048
    max_model_len: int | None = None
    tensor_parallel_size: int = 1
    domains: list[Domain] = msgspec.field(default_factory=lambda: list(DOMAINS))
    samples_per_prompt: dict[Domain, int] = {}
    stop: list[str] = []
    role: str = ""

    def __post_init__(self) -> None:
        wrong = []
        if not 0 <= self.temperature <= 2:
            wrong.append(f"temperature: {self.temperature} is not between 0 and 2")
        if not 0 < self.top_p <= 1:
            wrong.append(f"top_p: {self.top_p} is not above 0 and at most 1")
        if not 0 <= self.min_p <= 1:
            wrong.append(f"min_p: {self.min_p} is not between 0 and 1")
        if self.top_k < 0:
            wrong.append(f"top_k: {self.top_k} is negative; 0 means the whole vocabulary")
        if self.repetition_penalty <= 0:
            wrong.append(f"repetition_penalty: {self.repetition_penalty} is not above 0; 1 means none")
        if self.max_tokens < 1:
            wrong.append(f"max_tokens: {self.max_tokens} is below 1")
        if self.tensor_parallel_size < 1:
            wrong.append(f"tensor_parallel_size: {self.tensor_parallel_size} is below 1")
        if self.max_model_len is not None and self.max_model_len <= self.max_tokens:
            wrong.append(
                f"max_model_len: {self.max_model_len} leaves no room for a prompt beside max_tokens "
                f"{self.max_tokens}"
            )
        if not self.domains:
            wrong.append("domains: is empty; leave the key out for all of them")
        for domain, number in self.samples_per_prompt.items():
            if number < 1:
                wrong.append(
                    f"samples_per_prompt: {domain}: {number} is below 1; take it out of domains instead"
                )
        if "" in self.stop:
            wrong.append("stop: an empty string would end every answer at once")
        if wrong:
            raise ValueError("; ".join(wrong))

    def samples_for(self, domain: Domain) -> int:
        """Answers per prompt of a domain: 0 for one that this source does not answer."""
        if domain not in self.domains:
            return 0
        return self.samples_per_prompt.get(domain, SAMPLES_PER_PROMPT[domain])


def load_sources(path: Path) -> dict[str, Source]:
    """All sources of a file by name. BadInput names the source, the key and what is wrong with it."""
    content = read_yaml(path)
    if not content:
        raise BadInput(f"{path}: names no source; see sampling/sources.yaml for what one looks like")
    sources = {}
    for name, settings in content.items():
        if not isinstance(name, str) or not name or "/" in name or ":" in name:
            raise BadInput(
                f"{path}: {name!r}: a source's name becomes part of file names and response ids: "
                "it must be text without '/' and ':'"
            )
        try:
            sources[name] = msgspec.convert(settings, Source)
        except msgspec.ValidationError as error:
            raise BadInput(f"{path}: {name}: {_field_first(str(error))}") from None
    return sources


def find_source(path: Path, name: str) -> Source:
    """One source of a file. BadInput lists those that are there."""
    sources = load_sources(path)
    if name not in sources:
        raise BadInput(f"--source {name}: is not in {path}; known are: {', '.join(sources)}")
    return sources[name]


def _field_first(message: str) -> str:
    if message.startswith("Object contains unknown field"):
        known = ", ".join(field.name for field in msgspec.structs.fields(Source))
        return f"{message.split('`')[1]}: is not a known key; known are: {known}"
    what, _, where = message.partition(" - at `$")
    field = where.rstrip("`").lstrip(".")
    return f"{field}: {what}" if field else what
