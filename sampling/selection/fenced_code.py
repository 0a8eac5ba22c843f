"""Python in the fenced blocks of Markdown text: where each block stands, and what it says."""

import ast
import re
from dataclasses import dataclass

OPENING = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
PYTHON_NAMES = {"", "python", "python3", "py", "py3"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its code, and the lines of the text it takes up (fences included)."""

    code: str
    first_line: int
    last_line: int


def python_blocks(text: str) -> list[Block]:
    """All fenced blocks marked as Python, or not marked; an unclosed fence runs to the end of the text."""
    blocks = []
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        opening = OPENING.match(lines[number])
        if opening is None:
            number += 1
            continue
        fence, indent = opening["fence"], len(opening["indent"])
        end = number + 1
        while end < len(lines) and not _closes(lines[end], fence):
            end += 1
        if _language(opening["info"]) in PYTHON_NAMES:
            body = [_unindented(line, indent) for line in lines[number + 1 : end]]
            blocks.append(Block("\n".join(body), number, min(end, len(lines) - 1)))
        number = end + 1
    return blocks


def parsed(code: str) -> ast.Module | None:
    """The syntax tree, or None where this is not Python (or nested beyond what the parser takes)."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]}


def _language(info: str) -> str:
    words = info.strip().strip("{}").split()
    return words[0].lstrip(".").lower() if words else ""


def _unindented(line: str, indent: int) -> str:
    return line[indent:] if not line[:indent].strip() else line.lstrip()
