"""Tests for LeetCode problems, parsed from the examples of their text.

The dataset has no test column. Each `**Input:** name = value, …` and `**Output:** value` becomes an assert that
calls the function of the dataset's own Python solution; the prompt asks for that function by name, since
the text gives no signature. Whether the solution passes its asserts is tried later, in the sandbox: that
drops design problems, linked lists and trees, in-place problems, and answers the judge accepts in many forms.
"""

import ast
import json
import re
from dataclasses import dataclass

from fusechat.records import Tests
from sampling.selection.fenced_code import parsed, python_blocks

ESCAPED = re.compile(r"\\([\[\]_*<>`#+\-.()!{}])")
EXAMPLE = re.compile(
    r"\*{0,2}Input:?\*{0,2}:?\s*(?P<input>.*?)\s*\*{0,2}Output:?\*{0,2}:?\s*(?P<output>.*?)"
    r"(?=\n\s*\n|\n\s*\*{0,2}(?:Explanation|Example|Constraints|Note|Input|Follow)|\Z)",
    re.DOTALL,
)
ASSIGNMENT = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)\s*=(?!=)\s*")
PADDED_STRING = re.compile(r'"([^"\n]*)"')
ANY_ORDER = re.compile(
    r"\bin (?:any|arbitrary) order\b|\border (?:of|does not|doesn't)[^.\n]*matter", re.IGNORECASE
)
JSON_WORDS = {"true": "True", "false": "False", "null": "None"}
TOLERANCE = "1e-05"
ORDER_INSENSITIVE = """\
def in_any_order(values):
    return sorted(values, key=repr)

def in_any_order_inside_too(values):
    return sorted((sorted(value, key=repr) if isinstance(value, (list, tuple)) else value for value in values), key=repr)
"""


@dataclass(frozen=True)
class Function:
    """What the solution defines: a function, or a method of `class Solution`."""

    name: str
    parameters: list[str]
    in_class: bool


@dataclass(frozen=True)
class LeetcodeProblem:
    """A prompt that fixes the entry point, its tests, and the dataset's solution."""

    prompt: str
    tests: Tests
    reference_code: str


def leetcode_problem(content: str, python: str, slug: str) -> LeetcodeProblem | str:
    """The problem with its tests, or the reason why it has none."""
    text = unescaped(content)
    examples = parse_examples(text)
    if isinstance(examples, str):
        return examples
    reference, functions = _solution(python)
    if not functions:
        return "no solution"
    names = [list(arguments) for arguments, _ in examples]
    function = _entry_function(functions, names[0], slug)
    if function is None or any(len(given) != len(function.parameters) for given in names):
        return "no matching function"
    unordered = bool(ANY_ORDER.search(text))
    asserts = [
        _assertion(function, list(arguments.values()), output, unordered) for arguments, output in examples
    ]
    tests = Tests(
        asserts=list(dict.fromkeys(asserts)),
        setup=ORDER_INSENSITIVE if any("in_any_order" in line for line in asserts) else "",
        entry_point="Solution" if function.in_class else function.name,
    )
    return LeetcodeProblem(f"{text.strip()}\n\n{_request(function)}", tests, reference)


def unescaped(content: str) -> str:
    """The text without Markdown's backslashes, and without the blank that HTML left before closing quotes.

    The dataset's text has `"babad "` for `"babad"` throughout a problem; where every string of the examples
    ends so, the blank is taken off.
    """
    text = ESCAPED.sub(r"\1", content.replace("\r\n", "\n").replace("\u00a0", " "))
    shown = "\n".join(match.group() for match in EXAMPLE.finditer(text))
    strings = [string for string in PADDED_STRING.findall(shown) if string]
    # `" "` is an empty string there, where others show that all are padded.
    if any(string.strip() for string in strings) and all(re.search(r"(?:^|[^ ]) $", s) for s in strings):
        text = EXAMPLE.sub(lambda match: PADDED_STRING.sub(_without_padding, match.group()), text)
    return text


def _without_padding(match: re.Match[str]) -> str:
    return f'"{match.group(1).removesuffix(" ")}"'


def parse_examples(text: str) -> list[tuple[dict[str, object], object]] | str:
    """(arguments by name, output) of every example, or the reason why they cannot be read."""
    examples: list[tuple[dict[str, object], object]] = []
    for match in EXAMPLE.finditer(text):
        arguments = parse_arguments(match["input"])
        output = parse_literal(match["output"])
        if arguments is None or isinstance(output, Unreadable):
            return "unreadable examples"
        if examples and list(arguments) != list(examples[0][0]):
            return "unreadable examples"
        examples.append((arguments, output))
    return examples if examples else "no tests"


def parse_arguments(text: str) -> dict[str, object] | None:
    """`nums = [2,7], target = 9` as values by name; None where a value is no literal."""
    bare = text.strip().strip("`").strip()
    starts = [match for match in ASSIGNMENT.finditer(bare) if _at_top_level(bare, match.start())]
    if not starts or starts[0].start() != 0:
        return None
    values: dict[str, object] = {}
    for position, match in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(bare)
        value = parse_literal(bare[match.end() : end])
        if isinstance(value, Unreadable) or match.group(1) in values:
            return None
        values[match.group(1)] = value
    return values


class Unreadable:
    """Stands for a value that could not be read; None is a value."""


def parse_literal(text: str) -> object:
    """A JSON or Python literal, or Unreadable."""
    bare = text.strip().strip("`").strip().rstrip(",;").strip()
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        pass
    words = re.sub(r"\b(true|false|null)\b", lambda match: JSON_WORDS[match.group()], bare)
    try:
        value = ast.literal_eval(words)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return Unreadable()
    return value if _is_plain(value) else Unreadable()


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _at_top_level(text: str, end: int) -> bool:
    depth, quote = 0, ""
    for position, character in enumerate(text[:end]):
        if quote:
            if character == quote and text[position - 1] != "\\":
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in "[({":
            depth += 1
        elif character in "])}":
            depth -= 1
    return depth == 0 and not quote


def _solution(python: str) -> tuple[str, list[Function]]:
    """The solution's code (its first block that defines something) and the functions it offers."""
    for code in [block.code for block in python_blocks(python)] or [python]:
        tree = parsed(code)
        if tree is None:
            continue
        functions = [_function(node, False) for node in tree.body if isinstance(node, ast.FunctionDef)]
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == "Solution":
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                functions += [_function(item, True) for item in methods if not item.name.startswith("_")]
        if functions:
            return code, functions
    return "", []


def _function(node: ast.FunctionDef, in_class: bool) -> Function:
    parameters = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
    required = len(parameters) - len(node.args.defaults)
    return Function(node.name, parameters[1:required] if in_class else parameters[:required], in_class)


def _entry_function(functions: list[Function], names: list[str], slug: str) -> Function | None:
    """The function that takes the examples' arguments: best by parameter names, then by the problem's name."""
    fitting = [function for function in functions if len(function.parameters) == len(names)]
    if not fitting:
        return None
    wanted = slug.replace("-", "")

    def fitness(function: Function) -> tuple[bool, bool]:
        return function.parameters == names, function.name.replace("_", "").lower() == wanted

    # max() keeps the first of equals; helpers come before the function that uses them, so look from the end.
    return max(reversed(fitting), key=fitness)


def _assertion(function: Function, arguments: list[object], output: object, unordered: bool) -> str:
    target = f"Solution().{function.name}" if function.in_class else function.name
    call = f"{target}({', '.join(map(repr, arguments))})"
    if isinstance(output, float):
        return f"assert abs({call} - {output!r}) < {TOLERANCE}"
    if output is None:
        return f"assert {call} is None"
    if unordered and isinstance(output, list):
        name = "in_any_order" if _is_ordered_inside(output) else "in_any_order_inside_too"
        return f"assert {name}({call}) == {name}({output!r})"
    return f"assert {call} == {output!r}"


def _is_ordered_inside(output: list[object]) -> bool:
    """Whether sorting the inner lists would make different ones equal, as with permutations."""
    inner = [item for item in output if isinstance(item, list)]
    return len({repr(sorted(item, key=repr)) for item in inner}) < len({repr(item) for item in inner})


def _request(function: Function) -> str:
    signature = f"{function.name}({', '.join(function.parameters)})"
    if function.in_class:
        return (
            f"Write the solution in Python, as a class `Solution` with the method `{function.name}(self, "
            f"{', '.join(function.parameters)})`, which returns the answer."
        )
    return f"Write the solution in Python, as a function `{signature}`, which returns the answer."
