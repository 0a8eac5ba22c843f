"""Texts of published evaluation code, read from its source files without running them.

Prompts that a benchmark's authors wrote are not repeated in this project: they are read from the files that
`run_evals.py --download-only` puts below DATA_ROOT. Where they are absent, a benchmark asks in words of its own.
"""

import ast
from pathlib import Path

from fusechat.errors import BadInput


def assigned_text(path: Path, name: str) -> str:
    """The text that a Python file gives a name, at any level; BadInput where it gives none."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            text = constant_text(node.value)
            if name in names and text is not None:
                return text
    raise BadInput(f"{path}: gives no text the name {name}; use the published repository")


def text_beginning(path: Path, function: str, beginning: str) -> str:
    """The first text in a function of a Python file that begins so; BadInput where none does."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for inner in ast.walk(node):
                text = constant_text(inner)
                if text is not None and text.startswith(beginning):
                    return text
    raise BadInput(
        f"{path}: {function} holds no text that begins with {beginning!r}; use the published repository"
    )


def parsed(path: Path) -> ast.Module:
    """A Python file's syntax tree."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadInput(f"{path}: cannot be read as Python ({error}); use the published repository") from None


def constant_text(node: ast.AST) -> str | None:
    """The text of a string, or of an f-string that has no fields; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [constant_text(part) for part in node.values]
        return None if None in parts else "".join(part or "" for part in parts)
    return None
