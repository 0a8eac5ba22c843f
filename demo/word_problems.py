"""Maths word problems with known answers, made from families of wordings and numbers.

A problem's numbers decide which part it may serve in (training, held-out or development): the parts are disjoint
by construction, for every seed. `demo/make_prompts.py` calls this module; the wordings are in
`demo/word_problem_families.py`.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Part = Literal["training", "heldout", "development"]
Difficulty = Literal["easy", "medium", "hard"]

# Every (family, numbers) falls into one of these by its hash; training gets half of them.
PARTS: tuple[Part, ...] = ("training", "training", "heldout", "development")

# Draws after which numbers may repeat inside a part, and after which a family counts as exhausted.
PATIENCE, MAX_DRAWS = 300, 10_000

NAMES: tuple[str, ...] = (
    "Amira", "Bruno", "Chloe", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas",
    "Keiko", "Liam", "Maya", "Nils", "Olga", "Pedro", "Rosa", "Samir", "Tessa", "Viktor",
)  # fmt: skip
THINGS: tuple[str, ...] = (
    "apples", "marbles", "stickers", "pencils", "shells", "cookies", "coins", "books", "postcards", "buttons",
    "candles", "stamps", "plums", "beads", "crayons", "eggs", "balloons", "ribbons", "tickets", "stones",
)  # fmt: skip
CONTAINERS = ("boxes", "bags", "baskets", "trays", "crates", "packs")


@dataclass(frozen=True)
class Limits:
    """How large the numbers of a difficulty get."""

    term: int  # numbers that are added or taken away
    small: int  # the same where there are two steps
    factor: int  # how many groups there are
    size: int  # how large each group is


LIMITS: dict[Difficulty, Limits] = {
    "easy": Limits(term=12, small=8, factor=6, size=9),
    "medium": Limits(term=20, small=12, factor=9, size=12),
    "hard": Limits(term=100, small=50, factor=12, size=20),
}


@dataclass(frozen=True)
class Family:
    """Problems that are solved by the same steps."""

    name: str
    steps: int
    draw: Callable[[random.Random, Limits], tuple[int, ...]]
    answer: Callable[..., int]
    wordings: tuple[str, ...]  # with {name} {other} {thing} {container} and the numbers {a} {b} {c} {d}


@dataclass(frozen=True)
class WordProblem:
    family: str
    steps: int
    numbers: tuple[int, ...]
    text: str
    answer: int

    @property
    def key(self) -> str:
        return problem_key(self.family, self.numbers)


def problem_key(family: str, numbers: tuple[int, ...]) -> str:
    """Identity by numbers: their order is left out, so that 3 boxes of 8 and 8 boxes of 3 count as the same."""
    return f"{family}:{','.join(str(number) for number in sorted(numbers))}"


def part_of(key: str) -> Part:
    """The part that a (family, numbers) belongs to."""
    return PARTS[hashlib.sha256(key.encode("utf-8")).digest()[0] % len(PARTS)]


def word_problem(family: Family, numbers: tuple[int, ...], rng: random.Random) -> WordProblem:
    """Dress the numbers in one of the family's wordings."""
    name, other = rng.sample(NAMES, 2)
    text = rng.choice(family.wordings).format(
        name=name,
        other=other,
        thing=rng.choice(THINGS),
        container=rng.choice(CONTAINERS),
        **dict(zip("abcd", numbers, strict=False)),
    )
    return WordProblem(family.name, family.steps, numbers, text, family.answer(*numbers))


def generate(
    families: tuple[Family, ...], part: Part, count: int, difficulty: Difficulty, seed: int
) -> list[WordProblem]:
    """`count` problems of a part, the families in turn; no two have the same text.

    Numbers come again, in other words, only when a family has hardly any new ones of this part left.
    """
    problems: list[WordProblem] = []
    texts: set[str] = set()
    keys: set[str] = set()
    for position in range(count):
        family = families[position % len(families)]
        # The seed of a problem depends on its place alone: asking for more problems keeps the first ones.
        rng = random.Random(f"{seed}:{part}:{difficulty}:{position}")
        for attempt in range(MAX_DRAWS):
            numbers = family.draw(rng, LIMITS[difficulty])
            key = problem_key(family.name, numbers)
            if part_of(key) != part or (key in keys and attempt < PATIENCE):
                continue
            problem = word_problem(family, numbers, rng)
            if problem.text not in texts:
                break
        else:
            raise ValueError(
                f"family {family.name}: no new problem for {part} after {len(problems)} of {count}"
            )
        texts.add(problem.text)
        keys.add(key)
        problems.append(problem)
    return problems
