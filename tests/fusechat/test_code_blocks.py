"""Code is found in chat answers as CommonMark says, whatever the fences look like."""

import time

import pytest

from fusechat.code_blocks import find_code, language_of


def test_python_fences_are_taken_in_order_and_other_languages_left_out() -> None:
    found = find_code("a\n```python\nx = 1\n```\nb\n```bash\nls\n```\n```\ny = 2\n```\n")
    assert found.blocks == ("x = 1\n", "y = 2\n")
    assert found.other_languages == ("bash",)
    assert not found.whole_text


@pytest.mark.parametrize(
    "info",
    [
        "python",
        "Python",
        "PY",
        "python3",
        "{.python}",
        "python title=x",
        "python:a.py",
        "{.python .numberLines}",
    ],
)
def test_info_strings_that_mean_python(info: str) -> None:
    assert find_code(f"```{info}\nx = 1\n```").blocks == ("x = 1\n",)


def test_tildes_and_longer_fences_may_hold_backticks() -> None:
    assert find_code("~~~python\nx = '```'\n~~~").blocks == ("x = '```'\n",)
    assert find_code("````python\n'''\n```\n'''\n````").blocks == ("'''\n```\n'''\n",)


def test_indentation_of_a_fence_in_a_list_is_removed() -> None:
    assert find_code("1. a\n\n   ```python\n   def f():\n       return 1\n   ```\n").blocks == (
        "def f():\n    return 1\n",
    )


def test_a_fence_in_a_quote_is_found() -> None:
    assert find_code("> ```python\n> x = 1\n> ```\n").blocks == ("x = 1\n",)


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert find_code("Sure\n```python\nx = 1\ny = 2").blocks == ("x = 1\ny = 2",)


def test_line_ends_and_byte_order_marks_are_normalised() -> None:
    assert find_code("\ufeff```python\r\nx = 1\r\ny = 2\r\n```\r\n").blocks == ("x = 1\ny = 2\n",)


def test_text_without_a_fence_is_offered_whole() -> None:
    found = find_code("def f():\n    return 1\n")
    assert found.whole_text and found.blocks == ("def f():\n    return 1\n",)
    assert find_code("  \n").blocks == ()


def test_an_interpreter_session_loses_its_prompts() -> None:
    assert find_code("```pycon\n>>> def f():\n...     return 1\n>>> f()\n1\n```").blocks == (
        "def f():\n    return 1\nf()\n",
    )


def test_only_other_languages_means_no_block() -> None:
    assert find_code("```java\nint x;\n```").blocks == ()
    assert language_of("c++ main.cpp") == "c++"


def test_odd_characters_and_huge_texts_are_no_problem() -> None:
    assert find_code("```python\nx = '\x00\ud800'\n```").blocks[0].startswith("x = ")
    started = time.process_time()
    found = find_code("word *a* [b](c) `d` <e>\n" * 200_000 + "```python\nx = 1\n```\n" + "> " * 5_000 + "\n")
    assert found.blocks == ("x = 1\n",)
    assert time.process_time() - started < 20
