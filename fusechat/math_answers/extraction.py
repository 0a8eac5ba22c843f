"""Find the final answer in the text of a maths solution.

The order of the rules is that of the Qwen2.5-Math evaluation (QwenLM/Qwen2.5-Math), which the FuseChat-3.0
report uses: an explicit final-answer sentence, the last box, an answer cue, and at last the last number. Two
things are added: the `#### 42` line of GSM8K, and more than one Chinese cue. No rule looks at the gold answer.
"""

import re

from fusechat.math_answers.normalisation import normalise_answer

# A number is looked for in the end of the text only: the last number of 10 MB of text stands there too.
TAIL_CHARACTERS = 100_000

_MINERVA = re.compile(r"final answer is \$(.*?)\$\. I hope", re.DOTALL)
_HASH_LINE = re.compile(r"(?<!#)####[ \t]*([^\s#].*?)[ \t]*$", re.MULTILINE)
_HASH_NUMBER = re.compile(r"[-+]?[$€£¥]?[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)%?\.?")
_CHINESE_CUES = re.compile(r"答案(?:(?:是|为)[:：]?|[:：])")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def extract_answer(text: str) -> str | None:
    """The normalised final answer of a solution, or None where there is none."""
    answer = normalise_answer(find_answer(text))
    return answer or None


def find_answer(text: str) -> str:
    """The final answer as it is written in the solution; empty where there is none."""
    return _tidy(_locate(text))


def _locate(text: str) -> str:
    minerva = _MINERVA.search(text) if "$. I hope" in text else None
    if minerva:
        return minerva.group(1).strip()
    if "boxed" in text:
        return last_boxed(text)
    hash_answer, at_the_end = _hash_answer(text)
    if hash_answer and at_the_end:
        return hash_answer
    for cue in ("he answer is", "final answer is"):
        if cue in text:
            return text.rpartition(cue)[2].strip()
    chinese = _CHINESE_CUES.search(text)
    if chinese:
        return text[chinese.end() :].strip().partition("\n\n")[0].strip()
    return hash_answer or last_number(text)


def last_boxed(text: str) -> str:
    r"""What stands in the last `\boxed{...}` (or `\boxed 5$`) of the text that holds anything.

    A box that is never closed reaches to the end: the text was cut there.
    """
    marker = "\\boxed" if "\\boxed" in text else "boxed"
    end = len(text)
    while (start := text.rfind(marker, 0, end)) >= 0:
        content = _after_box(text, start + len(marker))
        if content.strip():
            return content
        end = start
    return ""


def _after_box(text: str, start: int) -> str:
    rest = text[start:].lstrip(" ")
    if not rest.startswith("{"):
        return rest.partition("$")[0].strip()
    depth = 0
    for match in re.finditer(r"[{}]", rest):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return rest[1 : match.start()]
    return rest[1:]


def _hash_answer(text: str) -> tuple[str, bool]:
    """What follows the last `####` that is an answer, and whether that line is the last one.

    Markdown headings begin the same way, so a line in the middle counts only if it is nothing but a number.
    """
    if "####" not in text:
        return "", False
    answer = ""
    for match in _HASH_LINE.finditer(text):
        if not text[match.end() :].strip():
            return match.group(1), True
        if _HASH_NUMBER.fullmatch(match.group(1)):
            answer = match.group(1)
    return answer, False


def last_number(text: str) -> str:
    """The last number of the text, thousands separators left out; empty without one."""
    numbers = _NUMBER.findall(text[-TAIL_CHARACTERS:].replace(",", ""))
    return numbers[-1] if numbers else ""


def _tidy(answer: str) -> str:
    """Join the lines; drop one leading colon and one trailing full stop and slash."""
    answer = re.sub(r"\n\s*", "", answer)
    answer = answer.removeprefix(":").removesuffix("。")
    return answer.removesuffix(".").removesuffix("/")
