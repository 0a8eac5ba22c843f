"""Small files in the exact layouts of the eight datasets, with the odd cases that each of them has.

Every row is written here by hand. `write_all(root)` makes ROOT/org/name as a download from the Hub looks.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
ANNOTATION = {"Rating": "4", "Rationale": "Clear."}
TEXT_ONLY = ["None"]


def ultrafeedback_row(instruction: str, source: str = "sharegpt") -> Row:
    """A row of openbmb/UltraFeedback."""
    aspects = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    completion = {
        "model": "alpaca-7b",
        "principle": "helpfulness",
        "custom_system_prompt": "",
        "response": "An answer.",
        "annotations": dict.fromkeys(aspects, ANNOTATION),
        "critique": "Fine.",
        "overall_score": 7.5,
        "fine-grained_score": 4.0,
    }
    return {
        "source": source,
        "instruction": instruction,
        "models": ["alpaca-7b", "gpt-4", "llama-2-7b-chat", "starchat"],
        "completions": [completion] * 4,
        "correct_answers": TEXT_ONLY,
        "incorrect_answers": TEXT_ONLY,
    }


ULTRAFEEDBACK: dict[str, list[Row]] = {
    "evol_instruct.jsonl": [
        ultrafeedback_row("Write a Python function that reverses a string.", "evol_instruct"),
        ultrafeedback_row("Describe how a lighthouse guides ships at night.", "evol_instruct"),
        ultrafeedback_row("   ", "evol_instruct"),
    ],
    "sharegpt.jsonl": [
        ultrafeedback_row("Plan a picnic for six people in a city park.\u2028Keep it cheap."),
        ultrafeedback_row("Solve for x: 3x + 7 = 22."),
        # The same prompt but for case and white space, and one that HelpSteer2 has as well.
        ultrafeedback_row("describe how a  lighthouse guides ships at night. "),
        ultrafeedback_row("What should I plant in a shady garden?"),
    ],
    "truthful_qa.jsonl": [
        {
            **ultrafeedback_row("Do bats see with their ears?", "truthful_qa"),
            "correct_answers": ["They hear echoes"],
        }
    ],
}


def magpie_row(instruction: str, category: str | None, quality: str | None = "good", number: int = 0) -> Row:
    """A row of Magpie-Align/Magpie-Pro-DPO-100K-v0.1."""
    responses = [f"answer {index}" for index in range(5)]
    return {
        "uuid": f"uuid-{number}",
        "instruction": instruction,
        "gen_input_configs": {
            "temperature": 1.0,
            "top_p": 1.0,
            "input_generator": "Llama-3-70B",
            "seed": None,
        },
        "intent": "The user wants to know.",
        "knowledge": "General knowledge.",
        "difficulty": "easy",
        "input_quality": quality,
        "quality_explanation": "Clear.",
        "task_category": category,
        "input_length": len(instruction),
        "responses": responses,
        "gen_response_configs": {"engine": "vllm", "max_tokens": 4096, "stop_tokens": ["<|eot_id|>"]},
        "rewards_armorm": [{"score": 0.1 + index / 100} for index in range(5)],
        "chosen": [{"content": instruction, "role": "user"}, {"content": "answer 4", "role": "assistant"}],
        "rejected": [{"content": instruction, "role": "user"}, {"content": "answer 0", "role": "assistant"}],
    }


MAGPIE: list[Row] = [
    magpie_row("How do tides work?", "Information seeking", "excellent", 0),
    magpie_row("Which of these two graphs fits the survey?", "Data analysis", "good", 1),
    magpie_row("Make this faster, please.", "Coding & Debugging", "good", 2),
    magpie_row("Give me a hint for this one.", " MATH ", "good", 3),  # label in another case
    magpie_row("hi", "Others", "very poor", 4),
    magpie_row("Fix this: def f(x): return x +", None, "good", 5),  # no label: the text decides
    magpie_row("Name a good walk near Oslo.", "Travel tips", "good", 6),  # a label that the tagger made up
    magpie_row("Name a good walk near Bergen.", "Advice seeking", None, 7),  # no quality label
]

HELPSTEER2: list[Row] = [
    {"prompt": prompt, "response": response, "helpfulness": 3, "correctness": 3, "coherence": 4, "complexity": 2, "verbosity": 2}
    for prompt in (
        "What should I plant in a shady garden?",
        "Tell me about owls.\n<extra_id_1>Assistant\nOwls hunt at night.\n<extra_id_1>User\nWhat do they eat?",
        "Hello\n<extra_id_1>Assistant\nHi, how can I help?",  # ends with the assistant's turn
        "Help me debug this JavaScript: console.log(x)",
    )
    for response in ("First answer.", "Second answer.")
]  # fmt: skip


def math_row(problem: str, answer: str, solution: str, source: str = "augmented_math") -> Row:
    """A row of nvidia/OpenMathInstruct-2."""
    return {
        "problem": problem,
        "generated_solution": solution,
        "expected_answer": answer,
        "problem_source": source,
    }


BOXES = "A box holds 12 pens. How many pens are in 4 boxes?"
MATH: list[Row] = [
    math_row(BOXES, "48", "12 times 4 is \\boxed{48}.", "gsm8k"),
    math_row(BOXES, "48", "4 * 12 = \\boxed{48}", "gsm8k"),
    math_row(BOXES, "48", "12 times 4 is \\boxed{48}.", "gsm8k"),  # the same solution twice
    # A near copy with other numbers is another problem.
    math_row("A box holds 15 pens. How many pens are in 4 boxes?", "60", "\\boxed{60}", "augmented_gsm8k"),
    math_row("Find $x$ if $2x = 10$.", "5", "\\boxed{5}", "math"),
    math_row("Find the odd one.", "3", "\\boxed{3}"),  # majority votes that contradict each other
    math_row("Find the odd one.", "5", "\\boxed{5}"),
    math_row("What is 1 + 1?", " ", "\\boxed{2}"),  # no gold answer
]

TWO_SUM = """Given an array of integers `nums` and an integer `target`, return _indices of the two numbers_.

**Example 1:**

**Input:** nums = \\[2,7,11,15\\], target = 9
**Output:** \\[0,1\\]
**Explanation:** Because nums\\[0\\] + nums\\[1\\] == 9, we return \\[0, 1\\].

**Example 2:**

**Input:** nums = \\[3,2,4\\], target = 6
**Output:** \\[1,2\\]

**Constraints:**

*   `2 <= nums.length <= 104`
"""
TWO_SUM_SOLUTION = """```python
def two_sum(nums, target):
    seen = {}
    for i, num in enumerate(nums):
        if target - num in seen:
            return [seen[target - num], i]
        seen[num] = i
```

The algorithm keeps the numbers seen so far in a dictionary.
"""
LONGEST = """Given a string `s`, return its first half.

**Example 1:**

**Input:** s = "babad "
**Output:** "ba "

**Example 2:**

**Input:** s = "cb "
**Output:** "c "
"""
MIN_STACK = """Design a stack that supports push and top.

**Example 1:**

**Input**
\\["MinStack","push","top"\\]
\\[\\[\\],\\[-2\\],\\[\\]\\]

**Output**
\\[null,null,-2\\]
"""


def leetcode_row(number: int, slug: str, content: str, python: str) -> Row:
    """A row of greengerong/leetcode."""
    return {
        "id": number,
        "slug": slug,
        "title": slug.replace("-", " ").title(),
        "difficulty": "Easy",
        "content": content,
        "java": "```java\nclass Solution {}\n```",
        "c++": "```cpp\nclass Solution {};\n```",
        "python": python,
        "javascript": "```javascript\nfunction f() {}\n```",
    }


LEETCODE: list[Row] = [
    leetcode_row(1, "two-sum", TWO_SUM, TWO_SUM_SOLUTION),
    leetcode_row(5, "first-half", LONGEST, "```python\ndef first_half(s):\n    return s[: len(s) // 2]\n```\n\nIt cuts."),
    leetcode_row(155, "min-stack", MIN_STACK, "```python\nclass MinStack:\n    def push(self, x):\n        pass\n```"),
    # Its own solution is wrong: the tests are not to be trusted.
    leetcode_row(2, "double-it", "Double it.\n\n**Input:** n = 2\n**Output:** 4\n", "```python\ndef double_it(n):\n    return n + 1\n```"),
    # A linked list, shown as a list.
    leetcode_row(3, "list-head", "Return the value.\n\n**Input:** head = \\[1,2\\]\n**Output:** 1\n", "```python\ndef list_head(head):\n    return head.val\n```"),
]  # fmt: skip


def self_oss_row(instruction: str, response: str, number: int) -> Row:
    """A row of bigcode/self-oss-instruct-sc2-exec-filter-50k."""
    return {
        "fingerprint": None,
        "sha1": f"sha1-{number}",
        "seed": "def seed(): pass",
        "response": response,
        "concepts": ["lists"],
        "prompt": "Here is a snippet: write an instruction. (the generation prompt, never the user's)",
        "instruction": instruction,
        "id": number,
    }


SELF_OSS: list[Row] = [
    self_oss_row(
        "Write a function `add_one` that adds one to each number.\n\nYour code should pass the following assertions:"
        "\n```python\nassert add_one([1, 2]) == [2, 3]\nassert add_one([]) == []\n```",
        "Here it is:\n```python\ndef add_one(numbers):\n    return [number + 1 for number in numbers]\n```",
        0,
    ),
    self_oss_row(
        "Write a function `double` and a test for it.",
        "```python\ndef double(number):\n    return 2 * number\n```\n\nTests:\n```python\nassert double(4) == 8\n```",
        1,
    ),
    self_oss_row(
        "Write a function that greets.", "```python\ndef greet(name):\n    return f'Hi {name}'\n```", 2
    ),
    self_oss_row(
        "Write `half`.\n\n```python\nassert half(4) == 2\n```",
        "```python\ndef half(number):\n    return number\n```",  # fails its own test
        3,
    ),
]

ALPACA_ZH: list[Row] = [
    {"instruction": "介绍一下长城的历史。", "input": "", "output": "长城……"},
    {"instruction": "把下面的句子改成疑问句。", "input": "你喜欢喝绿茶。", "output": "你喜欢喝绿茶吗？"},
    {"instruction": "用Python写一个排序函数。", "input": "", "output": "def sort…"},
    {"instruction": "解方程：2x + 5 = 17。", "input": "", "output": "x = 6"},
    {"instruction": "Translate to English:", "input": "cat", "output": "cat"},
]


def magpie_zh_row(instruction: str, category: str, quality: str = "good", number: int = 0) -> Row:
    """A row of Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese."""
    return {
        "uuid": f"zh-{number}",
        "model": "Qwen/Qwen2-72B-Instruct",
        "gen_input_configs": {"temperature": 1.0, "top_p": 1.0},
        "instruction": instruction,
        "response": "回答。",
        "conversations": [{"from": "human", "value": instruction}, {"from": "gpt", "value": "回答。"}],
        "task_category": category,
        "other_task_category": ["Others"],
        "task_category_generator": "Qwen",
        "difficulty": "easy",
        "intent": "了解",
        "knowledge": "常识",
        "difficulty_generator": "Qwen",
        "input_quality": quality,
        "quality_explanation": "清楚",
        "quality_generator": "Qwen",
        "llama_guard_2": "safe",
        "reward_model": "sfairXC/FsfairX-LLaMA3-RM-v0.1",
        "instruct_reward": 1.5,
        "min_neighbor_distance": 0.2,
        "repeat_count": 1,
        "min_similar_uuid": None,
        "instruction_length": len(instruction),
        "response_length": 3,
        "language": "ZH",
    }


MAGPIE_ZH: list[Row] = [
    magpie_zh_row("怎样挑选一个熟透的西瓜？", "Advice seeking", "excellent", 0),
    magpie_zh_row("帮我看看这段话哪里不对。", "Coding & Debugging", "good", 1),
    magpie_zh_row("这个题目怎么做比较好？", "Math", "good", 2),
    magpie_zh_row("随便说点什么吧朋友。", "Others", "poor", 3),
    magpie_zh_row("介绍一下长城的历史。", "Information seeking", "good", 4),  # alpaca_gpt4_zh has it too
]


def write_all(root: Path, *, reverse: bool = False) -> Path:
    """Writes all eight datasets under ROOT/org/name; `reverse` turns the order of all rows round."""

    def ordered(rows: Sequence[Row]) -> list[Row]:
        return list(reversed(rows)) if reverse else list(rows)

    for name, rows in ULTRAFEEDBACK.items():
        write_json_lines(root / "openbmb/UltraFeedback" / name, ordered(rows))
    magpie = root / "Magpie-Align/Magpie-Pro-DPO-100K-v0.1/data"
    rows = ordered(MAGPIE)
    write_parquet(magpie / "train-00000-of-00002.parquet", rows[:5])
    write_parquet(magpie / "train-00001-of-00002.parquet", rows[5:])
    write_parquet(magpie / "test-00000-of-00001.parquet", [magpie_row("Held out by its makers.", "Planning")])
    helpsteer = root / "nvidia/HelpSteer2"
    write_json_lines(helpsteer / "train.jsonl.gz", ordered(HELPSTEER2))
    write_json_lines(helpsteer / "validation.jsonl.gz", [{**HELPSTEER2[0], "prompt": "A validation prompt."}])
    write_json_lines(helpsteer / "preference/preference.jsonl.gz", [{"prompt": "x", "response_1": "a"}])
    math = root / "nvidia/OpenMathInstruct-2/data"
    rows = ordered(MATH)
    for index in range(3):
        write_parquet(math / f"train_1M-{index:05d}-of-00003.parquet", rows[index::3])
    write_parquet(
        math / "train-00000-of-00032.parquet", [math_row("Only in the large split: 2 + 3?", "5", "5")]
    )
    write_json_lines(root / "greengerong/leetcode/leetcode-train.jsonl", ordered(LEETCODE))
    oss = root / "bigcode/self-oss-instruct-sc2-exec-filter-50k/data"
    write_parquet(oss / "train-00000-of-00001.parquet", ordered(SELF_OSS))
    write_json(root / "llamafactory/alpaca_gpt4_zh/alpaca_gpt4_data_zh.json", ordered(ALPACA_ZH))
    chinese = root / "Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese/data"
    write_parquet(chinese / "train-00000-of-00001.parquet", ordered(MAGPIE_ZH))
    return root


def write_json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes JSON lines, compressed where the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_json(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one JSON array, indented as alpaca_gpt4_zh is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a parquet file with small row groups, so that files have several."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path, row_group_size=4)
