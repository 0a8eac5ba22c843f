"""Tests found for code prompts: LeetCode's examples and self-oss-instruct's asserts."""

import pytest
import selection_fixtures as fixtures

from sampling.selection.leetcode_tests import (
    LeetcodeProblem,
    leetcode_problem,
    parse_arguments,
    parse_examples,
    unescaped,
)
from sampling.selection.self_oss_tests import FoundTests, find_tests


def problem(content: str, python: str, slug: str = "") -> LeetcodeProblem:
    found = leetcode_problem(content, f"```python\n{python}\n```", slug)
    assert isinstance(found, LeetcodeProblem), found
    return found


def test_examples_become_asserts_that_call_the_solutions_function() -> None:
    found = leetcode_problem(fixtures.TWO_SUM, fixtures.TWO_SUM_SOLUTION, "two-sum")
    assert isinstance(found, LeetcodeProblem)
    assert found.tests.asserts == [
        "assert two_sum([2, 7, 11, 15], 9) == [0, 1]",
        "assert two_sum([3, 2, 4], 6) == [1, 2]",
    ]
    assert found.tests.entry_point == "two_sum"
    assert found.reference_code.startswith("def two_sum(nums, target):")


def test_the_prompt_asks_for_the_function_by_name_and_parameters() -> None:
    found = leetcode_problem(fixtures.TWO_SUM, fixtures.TWO_SUM_SOLUTION, "two-sum")
    assert isinstance(found, LeetcodeProblem)
    assert found.prompt.endswith("as a function `two_sum(nums, target)`, which returns the answer.")
    assert "nums = [2,7,11,15], target = 9" in found.prompt
    assert "\\[" not in found.prompt


def test_a_blank_that_html_left_before_every_closing_quote_is_taken_off() -> None:
    found = problem(fixtures.LONGEST, "def first_half(s):\n    return s[: len(s) // 2]")
    assert found.tests.asserts == ["assert first_half('babad') == 'ba'", "assert first_half('cb') == 'c'"]
    assert 's = "babad"\n' in found.prompt


def test_an_empty_string_is_padded_like_the_others() -> None:
    content = '**Input:** words = \\["ab ", " "\\]\n**Output:** "ab "\n'
    found = problem(content, "def f(words):\n    return 0")
    assert found.tests.asserts == ["assert f(['ab', '']) == 'ab'"]


def test_blanks_in_strings_stay_where_they_are_meant() -> None:
    content = '**Input:** s = "a b "\n**Output:** 3\n\n**Input:** s = "ab"\n**Output:** 2\n'
    found = problem(content, "def f(s):\n    return 0")
    assert found.tests.asserts[0] == "assert f('a b ') == 3"


def test_true_false_and_null_are_read() -> None:
    content = "**Input:** root = \\[1,null,2\\], flag = true\n**Output:** false\n"
    assert parse_examples(unescaped(content)) == [({"root": [1, None, 2], "flag": True}, False)]


def test_floats_are_compared_with_a_tolerance() -> None:
    found = problem("**Input:** x = 2.0, n = 10\n**Output:** 1024.0\n", "def power(x, n):\n    return x ** n")
    assert found.tests.asserts == ["assert abs(power(2.0, 10) - 1024.0) < 1e-05"]


def test_any_order_is_honoured_inside_too_unless_that_would_confuse_different_values() -> None:
    text = "Return them in any order.\n**Input:** nums = \\[1,2\\]\n**Output:** "
    groups = problem(text + "\\[\\[1,2\\],\\[3\\]\\]\n", "def f(nums):\n    return 0").tests
    assert groups.asserts == [
        "assert in_any_order_inside_too(f([1, 2])) == in_any_order_inside_too([[1, 2], [3]])"
    ]
    namespace: dict[str, object] = {"f": lambda nums: [[3], [2, 1]]}
    exec(f"{groups.setup}\n{groups.asserts[0]}", namespace)
    permutations = problem(text + "\\[\\[1,2\\],\\[2,1\\]\\]\n", "def f(nums):\n    return 0").tests
    with pytest.raises(AssertionError):
        exec(f"{permutations.setup}\n{permutations.asserts[0]}", {"f": lambda nums: [[1, 2], [1, 2]]})


def test_a_solution_class_is_called_through_an_instance() -> None:
    found = problem(
        "**Input:** n = 3\n**Output:** 6\n", "class Solution:\n    def triple(self, n):\n        return 2 * n"
    )
    assert found.tests.asserts == ["assert Solution().triple(3) == 6"]
    assert found.tests.entry_point == "Solution"
    assert "`triple(self, n)`" in found.prompt


def test_among_several_functions_the_one_with_the_examples_parameters_is_called() -> None:
    code = "def is_prime(n):\n    return True\n\ndef count(limit):\n    return 1\n\ndef show(text):\n    return text"
    found = problem("**Input:** limit = 3\n**Output:** 1\n", code)
    assert found.tests.entry_point == "count"


def test_without_such_names_the_problems_own_name_decides_and_then_the_last_function() -> None:
    code = "def helper(a):\n    return a\n\ndef countPrimes(n):\n    return 1\n\ndef shown(b):\n    return b"
    assert (
        problem("**Input:** limit = 3\n**Output:** 1\n", code, "count-primes").tests.entry_point
        == "countPrimes"
    )
    assert problem("**Input:** limit = 3\n**Output:** 1\n", code, "other").tests.entry_point == "shown"


@pytest.mark.parametrize(
    ("content", "python", "reason"),
    [
        (fixtures.MIN_STACK, "class MinStack:\n    def push(self, x):\n        pass", "unreadable examples"),
        ("No example here.", "def f():\n    return 0", "no tests"),
        ("**Input:** n = 2\n**Output:** 4\n", "print('no function')", "no solution"),
        ("**Input:** n = 2\n**Output:** 4\n", "def f(a, b):\n    return a", "no matching function"),
        ("**Input:** n = 00000000000000000000000000001011\n**Output:** 3\n", "def f(n):\n    return 3", "unreadable examples"),
    ],
)  # fmt: skip
def test_problems_without_usable_examples_are_dropped_by_reason(
    content: str, python: str, reason: str
) -> None:
    assert leetcode_problem(content, f"```python\n{python}\n```", "") == reason


def test_commas_equal_signs_and_brackets_inside_strings_do_not_split_arguments() -> None:
    assert parse_arguments('s = "a, b = [1", k = 2') == {"s": "a, b = [1", "k": 2}


def test_asserts_at_the_end_of_the_instruction_come_first() -> None:
    row = fixtures.SELF_OSS[0]
    found = find_tests(row["instruction"], row["response"])
    assert isinstance(found, FoundTests)
    assert found.place == "instruction"
    assert found.tests.asserts == ["assert add_one([1, 2]) == [2, 3]", "assert add_one([]) == []"]
    assert found.tests.entry_point == "add_one"


def test_else_the_last_block_of_the_response_with_asserts_is_taken_and_left_out_of_the_solution() -> None:
    row = fixtures.SELF_OSS[1]
    found = find_tests(row["instruction"], row["response"])
    assert isinstance(found, FoundTests)
    assert (found.place, found.tests.asserts) == ("response", ["assert double(4) == 8"])
    assert "assert" not in found.reference_code


def test_a_single_block_with_solution_and_asserts_is_split() -> None:
    found = find_tests(
        "Write f and test it.",
        "```python\ndef f(x):\n    return x\n\nassert f(1) == 1\nassert f(2) == 2\n```",
    )
    assert isinstance(found, FoundTests)
    assert found.reference_code == "def f(x):\n    return x"
    assert found.tests.asserts == ["assert f(1) == 1", "assert f(2) == 2"]


def test_what_stands_before_the_first_assert_is_set_up() -> None:
    instruction = "Do it.\n```python\nimport math\ndata = [1, 4]\nassert f(data) == [1, 2]\nassert math.isclose(g(), 1.0)\n```"
    found = find_tests(instruction, "```python\ndef f(x):\n    return x\ndef g():\n    return 1.0\n```")
    assert isinstance(found, FoundTests)
    assert found.tests.setup == "import math\ndata = [1, 4]"
    assert len(found.tests.asserts) == 2


def test_statements_between_asserts_keep_the_block_whole() -> None:
    instruction = "Do it.\n```python\nstack = Stack()\nassert stack.empty()\nstack.push(1)\nassert not stack.empty()\n```"
    found = find_tests(instruction, "```python\nclass Stack:\n    pass\n```")
    assert isinstance(found, FoundTests)
    assert found.tests.setup == "stack = Stack()"
    assert found.tests.asserts == ["assert stack.empty()\nstack.push(1)\nassert not stack.empty()"]


def test_test_functions_that_nothing_calls_are_called() -> None:
    found = find_tests(
        "Write f and tests.",
        "```python\ndef f():\n    return 1\n```\n```python\ndef test_f():\n    assert f() == 1\n```",
    )
    assert isinstance(found, FoundTests)
    assert found.tests.asserts == ["def test_f():\n    assert f() == 1\ntest_f()"]


def test_a_copy_of_the_solution_in_the_test_block_is_left_out() -> None:
    block = "def f():\n    return 1\n\nassert f() == 1"
    found = find_tests(f"Do it.\n```python\n{block}\n```", "```python\ndef f():\n    return 1\n```")
    assert isinstance(found, FoundTests)
    assert (found.tests.setup, found.tests.asserts) == ("", ["assert f() == 1"])


@pytest.mark.parametrize(
    ("instruction", "response", "reason"),
    [
        ("Greet.", "```python\ndef greet():\n    pass\n```", "no tests"),
        ("Do.\n```python\nassert f() == 1\n```", "I cannot do that.", "no solution"),
        ("Do.\n```python\nassert f( == 1\n```", "```python\ndef f():\n    return 1\n```", "no tests"),
        ("Do.\n```text\nassert f() == 1\n```", "```python\ndef f():\n    return 1\n```", "no tests"),
    ],
)
def test_rows_without_usable_asserts_are_dropped_by_reason(
    instruction: str, response: str, reason: str
) -> None:
    assert find_tests(instruction, response) == reason
