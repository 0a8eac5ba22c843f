"""Write the demo's prompts: word problems made here, instructions, code tasks and Chinese prompts; and a held-out set.

    python demo/make_prompts.py --output runs/demo/prompts.jsonl --heldout runs/demo/heldout.jsonl --seed 0

Reads: the prompt lists beside this file (instruction_prompts.yaml, code_tasks.yaml, chinese_prompts.yaml) and the
word problem families (word_problem_families.py).
Writes: the training prompts, and word problems with other numbers that are never trained on. Both are disjoint by
text and by (family, numbers), whatever the seeds: the numbers' hash decides who may use them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from demo.word_problem_families import FAMILIES
from demo.word_problems import Difficulty, Part, generate
from fusechat.command_line import StepArgs, parse_args, read_yaml, run
from fusechat.errors import BadInput
from fusechat.output_file import OutputFile
from fusechat.records import Domain, Message, Prompt, Tests, prompt_id_of
from fusechat.run_manifest import Manifest

FOLDER = Path(__file__).parent
MATH_REQUEST = "{problem}\n\nWrite the calculation, and then the final number after ####."
CODE_REQUEST = "{task}\n\nName the function `{entry_point}` and put the code into one ```python block."


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of the demo's prompts."""

    output: Path
    """File that gets the training prompts."""
    heldout: Path
    """File that gets the word problems to evaluate on."""
    seed: int = 0
    """Seed of the training problems."""
    heldout_seed: int = 0
    """Seed of the held-out problems; they stay the same when --seed changes."""
    heldout_part: Literal["heldout", "development"] = "heldout"
    """Numbers that the held-out file draws from; settings are tuned on `development`, never on `heldout`."""
    train_problems: int = 160
    """Number of word problems to train on."""
    heldout_problems: int = 200
    """Number of word problems to evaluate on."""
    difficulty: Difficulty = "easy"
    """How large the numbers of the word problems are."""
    instruction_prompts: int = 40
    """Number of instruction prompts, at most 40."""
    code_tasks: int = 24
    """Number of code tasks, at most 24."""
    chinese_prompts: int = 8
    """Number of Chinese prompts, at most 8."""


def make_prompt(dataset: str, domain: Domain, text: str, **fields: Any) -> Prompt:
    messages = [Message(role="user", content=text)]
    return Prompt(
        prompt_id=prompt_id_of(dataset, messages),
        dataset=dataset,
        domain=domain,
        messages=messages,
        **fields,
    )


def math_prompts(part: Part, count: int, difficulty: Difficulty, seed: int) -> list[Prompt]:
    """Word problems of one part as prompts."""
    return [
        make_prompt(
            "demo/word-problems",
            "math",
            MATH_REQUEST.format(problem=problem.text),
            gold_answer=str(problem.answer),
            meta={
                "family": problem.family,
                "steps": problem.steps,
                "numbers": list(problem.numbers),
                "difficulty": difficulty,
                "part": part,
            },
        )
        for problem in generate(FAMILIES, part, count, difficulty, seed)
    ]


def instruction_prompt(entry: dict[str, Any]) -> Prompt:
    return make_prompt(
        "demo/instructions", "instruction", entry["text"], meta={"constraint": entry["constraint"]}
    )


def code_prompt(entry: dict[str, Any]) -> Prompt:
    text = CODE_REQUEST.format(task=entry["task"], entry_point=entry["entry_point"])
    tests = Tests(asserts=list(entry["asserts"]), entry_point=entry["entry_point"])
    return make_prompt("demo/code-tasks", "code", text, tests=tests, meta={"solution": entry["solution"]})


def chinese_prompt(entry: dict[str, Any]) -> Prompt:
    return make_prompt("demo/chinese", "chinese", entry["text"])


def listed_prompts(file_name: str, count: int, make: Callable[[dict[str, Any]], Prompt]) -> list[Prompt]:
    """The first `count` prompts of a list beside this file."""
    entries = read_yaml(FOLDER / file_name)["prompts"]
    if not 0 <= count <= len(entries):
        raise BadInput(f"{file_name}: {count} prompts wanted; it holds {len(entries)}")
    return [make(entry) for entry in entries[:count]]


def write_prompts(path: Path, prompts: list[Prompt], args: Args) -> None:
    """Write one file by the usual protocol; a file that is there already stays."""
    manifest = Manifest(script=__file__, args=args, free=("heldout",))
    output = OutputFile(path, id_field="prompt_id", manifest=manifest, overwrite=args.overwrite)
    if output.is_complete:
        output.say_complete()
        return
    counts: dict[str, int] = {}
    with output:
        for prompt in prompts:
            counts[prompt.domain] = counts.get(prompt.domain, 0) + 1
            if prompt.prompt_id not in output.done:
                output.write(prompt)
        output.finish(counts=counts)
    print(f"{path}: {len(prompts)} prompts ({', '.join(f'{n} {domain}' for domain, n in counts.items())})")


def main() -> None:
    args = parse_args(Args)
    if min(args.train_problems, args.heldout_problems) < 1:
        raise BadInput("--train-problems and --heldout-problems must be at least 1")
    try:
        training = math_prompts("training", args.train_problems, args.difficulty, args.seed)
        heldout = math_prompts(args.heldout_part, args.heldout_problems, args.difficulty, args.heldout_seed)
    except ValueError as error:
        raise BadInput(f"{error}; ask for fewer problems or a higher --difficulty") from None
    training += listed_prompts("instruction_prompts.yaml", args.instruction_prompts, instruction_prompt)
    training += listed_prompts("code_tasks.yaml", args.code_tasks, code_prompt)
    training += listed_prompts("chinese_prompts.yaml", args.chinese_prompts, chinese_prompt)
    write_prompts(args.output, training, args)
    write_prompts(args.heldout, heldout, args)


if __name__ == "__main__":
    run(main)
