"""Finds the Python code in a chat answer: CommonMark fences, else the whole text.

Nothing is parsed as Python here: a hostile source can crash the parser, so that happens in the sandbox.
"""

from dataclasses import dataclass

PYTHON_WORDS = {"", "python", "py", "python3", ".python", "py3", "python2", "pycon", "python-repl"}
PROMPT_WORDS = {"pycon", "python-repl"}
MAX_TEXT = 20 << 20


@dataclass(frozen=True)
class FoundCode:
    """The answer's Python blocks in order; `whole_text` says that there was no fence and the text itself is tried."""

    blocks: tuple[str, ...]
    whole_text: bool = False
    other_languages: tuple[str, ...] = ()


def find_code(text: str) -> FoundCode:
    """The code of an answer. A text without any fence is one block that counts only if it defines something."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    fences = fenced_blocks(clean)
    if not fences:
        return FoundCode((clean,) if clean.strip() else (), whole_text=True)
    blocks, others = [], []
    for info, content in fences:
        word = language_of(info)
        if word not in PYTHON_WORDS:
            others.append(word)
        elif content.strip():
            blocks.append(without_prompts(content) if is_session(word, content) else content)
    return FoundCode(tuple(blocks), other_languages=tuple(others))


def language_of(info: str) -> str:
    """First word of a fence's info string, lower case: `{.python .numberLines}` and `python:file.py` too."""
    words = info.strip().strip("{}").split()
    return words[0].partition(":")[0].partition(",")[0].lower() if words else ""


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """(info string, content) of each fenced code block, also within lists and quotes."""
    from markdown_it import MarkdownIt

    if "```" not in text and "~~~" not in text:
        return []
    parser = MarkdownIt("commonmark").disable(["link", "image", "emphasis", "autolink", "html_inline"])
    parser.disable(["reference", "inline", "text_join"], ignoreInvalid=True)
    return [(token.info, token.content) for token in parser.parse(text) if token.type == "fence"]


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
