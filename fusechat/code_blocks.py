"""Finds the Python code in a chat answer: CommonMark fences, else the whole text.

Nothing is parsed as Python here: a hostile source can crash the parser, so that happens in the sandbox.
"""

import re
import textwrap
from dataclasses import dataclass

PYTHON_WORD = re.compile(r"(?:\.?i?python[\d.]*|py\d?|pycon|python-repl|none)?")
INVISIBLE_AT_START = re.compile(r"^[\u200b\u2060]+", re.MULTILINE)
FENCE_MARKS = re.compile(r"```|~~~")
STARTS_AS_CODE = re.compile(
    r"\s*(?:(?:async )?def \w+ ?\(|class \w+ ?[:(]|import \w[\w.]*(?: as \w+)?\s*$|from [\w.]+ import |@\w[\w.]*(?:\(.*\))?$)",
    re.MULTILINE,
)
THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
BARE_FENCE = re.compile(r"^(?:```|~~~)[ \t]*$", re.MULTILINE)
MAX_BLOCKS = 500  # the last ones count: an answer with more is no honest one
LINES_BEFORE = 200  # kept before the first fence, as a list that it stands in may begin there
PROMPT_WORDS = {"pycon", "python-repl"}


@dataclass(frozen=True)
class FoundCode:
    """The answer's Python blocks in order; `whole_text` says that there was no fence and the text itself is tried."""

    blocks: tuple[str, ...]
    whole_text: bool = False
    other_languages: tuple[str, ...] = ()


def find_code(text: str) -> FoundCode:
    """The code of an answer. A text without any fence is one block that counts only if it defines something."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    clean = THOUGHTS.sub("", clean, count=1)
    if STARTS_AS_CODE.match(clean):
        # A raw program, whose docstrings may hold fences; or the rest of an answer whose fence the prompt opened.
        return FoundCode((BARE_FENCE.split(clean, maxsplit=1)[0],), whole_text=True)
    fences = fenced_blocks(clean)
    if not fences:
        return FoundCode((clean,) if clean.strip() else (), whole_text=True)
    blocks, others = [], []
    for info, content in fences:
        word = language_of(info)
        if not PYTHON_WORD.fullmatch(word):
            others.append(word)
        elif content.strip():
            content = without_prompts(content) if is_session(word, content) else content
            blocks.append(textwrap.dedent(content) if re.match(r"\n*[ \t]", content) else content)
    return FoundCode(tuple(blocks[-MAX_BLOCKS:]), other_languages=tuple(others))


def language_of(info: str) -> str:
    """First word of a fence's info string, lower case: `{.python .numberLines}` and `python:file.py` too."""
    words = info.strip().strip("{}").split()
    return words[0].partition(":")[0].partition(",")[0].lower() if words else ""


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """(info string, content) of each fenced code block, also within lists and quotes."""
    from markdown_it import MarkdownIt

    first = FENCE_MARKS.search(text)
    if first is None:
        return []
    text = INVISIBLE_AT_START.sub("", text[_lines_before(text, first.start()) :])
    # Models put fences right below tags (`<answer>`) and indent them at will: there they are fences all the same.
    parser = MarkdownIt("commonmark").disable(
        ["reference", "html_block", "code", "inline", "text_join"], ignoreInvalid=True
    )
    return [(token.info, token.content) for token in parser.parse(text) if token.type == "fence"]


def _lines_before(text: str, position: int) -> int:
    """Where the line stands that is LINES_BEFORE lines above this position."""
    for _ in range(LINES_BEFORE):
        position = text.rfind("\n", 0, position)
        if position < 0:
            return 0
    return position + 1


def is_session(word: str, content: str) -> bool:
    return word in PROMPT_WORDS and content.lstrip().startswith(">>>")


def without_prompts(content: str) -> str:
    """The statements of an interpreter session."""
    lines = [
        line[4:]
        for line in content.split("\n")
        if line.startswith((">>> ", "... ")) or line in (">>>", "...")
    ]
    return "\n".join(lines) + "\n"
