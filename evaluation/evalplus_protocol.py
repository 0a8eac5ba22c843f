"""HumanEval's and MBPP's common protocol, after EvalPlus: a chat whose answer opens with a Python fence.

The two sentences of the chat (what is asked, how the answer opens) are read from the installed evalplus package, so
that they are EvalPlus's own; greedy, cut at the closing fence, reduced to what the entry point needs, and run against
the base tests in the project's own sandbox. A plus test set, where there is one, gives a second figure.
"""

import ast
import functools
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.code_runs import Program, run_programs
from fusechat.errors import BadInput
from fusechat.records import Tests

# Where a model goes on behind its solution: a main block or a print at the left margin, or the closing fence.
STOP = ("\n```", "\nif __name__", "\ndef main(", "\nprint(")
# The report's authors also stopped here, which cuts an answer at its first comment at the left margin.
COMMENT_STOP = "\n#"
# Spans that are tried at most to find code that parses in a broken answer.
MAX_SPANS = 2_000


def code_item(
    task_id: str,
    prompt: str,
    entry_point: str,
    base: Tests,
    plus: Tests | None,
    *,
    stop_at_comments: bool = False,
) -> Item:
    """The chat of one task: the request with the task in a fence, the answer opened with a Python fence."""
    instruction, opening = evalplus_sentences()
    request = f"{instruction}\n```\n{prompt.strip()}\n```\n"
    return Item(
        item_id=task_id,
        messages=({"role": "user", "content": request},),
        prefill=f"{opening}\n```python\n",
        fields={
            "entry_point": entry_point, "base": base, "plus": plus,
            "stop": (*STOP, COMMENT_STOP) if stop_at_comments else STOP,
        },
    )  # fmt: skip


def greedy_code(item: Item) -> Generating:
    """Greedy, 2048 tokens, stopped where the solution ends."""
    return Generating(max_tokens=2048, stop=item.fields["stop"])


@functools.cache
def evalplus_sentences() -> tuple[str, str]:
    """EvalPlus's default instruction and response prefix, read from its source without running it."""
    spec = importlib.util.find_spec("evalplus")
    locations = list(spec.submodule_search_locations or []) if spec else []
    if not locations:
        raise BadInput(
            "humaneval, mbpp: need the evalplus package for their prompts; pip install evalplus==0.3.1"
        )
    source = Path(locations[0], "codegen.py").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if name in ("instruction_prefix", "response_prefix") and isinstance(value, ast.Constant):
                found.setdefault(name, str(value.value))
    if len(found) < 2:
        raise BadInput(
            "evalplus: its codegen.py has no instruction_prefix and response_prefix; install evalplus 0.3.1"
        )
    return found["instruction_prefix"], found["response_prefix"]


def solution_of(text: str, entry_point: str) -> str:
    """The program in a generated answer: cut at a fence, tabs to spaces, what the entry point needs."""
    return needed_code(text.replace("\t", "    ").partition("\n```")[0], entry_point)


def needed_code(code: str, entry_point: str) -> str:
    """Imports and the definitions that the entry point reaches, from the longest span of lines that parses.

    Functions without a return statement are left out, as in EvalPlus. Without anything to keep, the span itself.
    """
    code = longest_parsing_span(code)
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return code
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    definitions: dict[str, ast.stmt] = {}
    for node in body:
        for name in defined_names(node):
            definitions.setdefault(name, node)
    reached, waiting = set(), [entry_point]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in definitions:
            used = {inner.id for inner in ast.walk(definitions[name]) if isinstance(inner, ast.Name)}
            waiting += sorted(used & set(definitions))
    kept = {id(node) for node in imports} | {id(definitions[name]) for name in reached if name in definitions}
    parts = [source_lines(code, node) for node in body if id(node) in kept]
    return "\n".join(parts) or code


def defined_names(node: ast.stmt) -> list[str]:
    """Names that a top-level statement defines for good."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        has_return = any(
            isinstance(inner, (ast.Return, ast.Yield, ast.YieldFrom)) for inner in ast.walk(node)
        )
        return [node.name] if has_return else []
    if isinstance(node, ast.ClassDef):
        return [node.name]
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def source_lines(code: str, node: ast.stmt) -> str:
    """The lines of a top-level statement, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(code.split("\n")[first - 1 : node.end_lineno])


def longest_parsing_span(code: str) -> str:
    """The longest run of whole lines that is valid Python; the code itself where none is found soon."""
    lines = code.split("\n")
    tried = 0
    for dropped in range(len(lines)):
        for start in range(dropped + 1):
            span = "\n".join(lines[start : len(lines) - dropped + start])
            tried += 1
            if parses(span) and span.strip():
                return span
            if tried >= MAX_SPANS:
                return code
    return code


def parses(code: str) -> bool:
    """Whether this is valid Python."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def score_code(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """1 where all base tests pass; `plus` where those of the plus set pass too."""
    solutions = {
        item.item_id: solution_of(answers[item.item_id][0].text, item.fields["entry_point"]) for item in items
    }
    programs = []
    for item in items:
        for kind in ("base", "plus"):
            if item.fields[kind] is not None:
                programs.append(Program(f"{kind}/{item.item_id}", solutions[item.item_id], item.fields[kind]))
    verdicts = run_programs(programs, tools, len(programs))
    scores = []
    for item in items:
        base, plus = verdicts[f"base/{item.item_id}"], verdicts.get(f"plus/{item.item_id}")
        score = ItemScore(item.item_id, base.score, solutions[item.item_id], reason=base.reason)
        if plus is not None and base.score is not None and plus.score is not None:
            score.figures = {"base + plus tests": base.score * plus.score}
        scores.append(score)
    return scores
