"""The families of maths word problems: what is drawn, what the answer is, and how it may be worded.

Used by `demo/make_prompts.py` through `demo/word_problems.py`. All wordings are this project's own.
"""

import random

from demo.word_problems import Family, Limits


def two_terms(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    return rng.randint(2, limits.term), rng.randint(2, limits.term)


def two_small_terms(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    return rng.randint(2, limits.small), rng.randint(2, limits.small)


def three_terms(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    return (*two_small_terms(rng, limits), rng.randint(2, limits.small))


def larger_first(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    """a > b, the difference at least 1."""
    b = rng.randint(2, limits.term - 1)
    return rng.randint(b + 1, limits.term), b


def two_factors(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    return rng.randint(2, limits.factor), rng.randint(2, limits.size)


def even_share(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    """a is a whole multiple of b."""
    b, share = rng.randint(2, limits.factor), rng.randint(2, limits.size)
    return b * share, b


def terms_then_less(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    """c is less than a + b."""
    a, b = two_small_terms(rng, limits)
    return a, b, rng.randint(2, min(limits.small, a + b - 1))


def factors_and_term(rng: random.Random, limits: Limits) -> tuple[int, ...]:
    return (*two_factors(rng, limits), rng.randint(2, limits.small))


FAMILIES: tuple[Family, ...] = (
    Family(
        "gain",
        1,
        two_terms,
        lambda a, b: a + b,
        (
            "{name} has {a} {thing} and gets {b} more from {other}. How many {thing} does {name} have now?",
            "There are {a} {thing} on a table. {name} puts {b} more {thing} on it. How many {thing} are on the table?",
            "{name} found {a} {thing} in the morning and {b} {thing} in the evening. How many {thing} did {name} find?",
            "A jar holds {a} {thing}. After {name} adds {b} {thing}, how many {thing} does the jar hold?",
        ),
    ),
    Family(
        "loss",
        1,
        larger_first,
        lambda a, b: a - b,
        (
            "{name} has {a} {thing} and gives {b} of them to {other}. How many {thing} does {name} have left?",
            "There were {a} {thing} in a drawer. {name} took out {b} of them. How many {thing} are still in the drawer?",
            "{name} made {a} {thing} and sold {b} of them. How many {thing} were not sold?",
            "Of the {a} {thing} that {name} had, {b} got lost. How many {thing} remain?",
        ),
    ),
    Family(
        "groups",
        1,
        two_factors,
        lambda a, b: a * b,
        (
            "{name} has {a} {container} with {b} {thing} in each. How many {thing} does {name} have in all?",
            "A shop keeps {b} {thing} in each of {a} {container}. How many {thing} does the shop keep?",
            "{name} fills {a} {container}, putting {b} {thing} into every one. How many {thing} does {name} use?",
            "Each of {a} children brings {b} {thing} to school. How many {thing} do the children bring together?",
        ),
    ),
    Family(
        "share",
        1,
        even_share,
        lambda a, b: a // b,
        (
            "{name} shares {a} {thing} equally among {b} friends. How many {thing} does each friend get?",
            "{a} {thing} are packed into {b} {container} so that each holds the same number. How many {thing} are in each?",
            "{name} lays {a} {thing} in {b} equal rows. How many {thing} are in one row?",
            "{b} children split {a} {thing} evenly. How many {thing} does every child receive?",
        ),
    ),
    Family(
        "more_than",
        1,
        two_terms,
        lambda a, b: a + b,
        (
            "{name} has {a} {thing}. {other} has {b} more {thing} than {name}. How many {thing} does {other} have?",
            "{other} picked {b} more {thing} than {name}, who picked {a}. How many {thing} did {other} pick?",
            "A red bag holds {a} {thing}, and a blue bag holds {b} {thing} more than the red one. How many {thing} are in the blue bag?",
        ),
    ),
    Family(
        "difference",
        1,
        larger_first,
        lambda a, b: a - b,
        (
            "{name} has {a} {thing} and {other} has {b} {thing}. How many more {thing} does {name} have than {other}?",
            "{name} collected {a} {thing}, while {other} collected {b}. By how many {thing} is {name} ahead?",
            "{other} has {b} {thing} and wants to have {a}. How many more {thing} does {other} need?",
        ),
    ),
    Family(
        "fewer_than",
        1,
        larger_first,
        lambda a, b: a - b,
        (
            "{name} has {a} {thing}. {other} has {b} fewer {thing} than {name}. How many {thing} does {other} have?",
            "A red bag holds {a} {thing}, and a blue bag holds {b} {thing} less than the red one. How many {thing} are in the blue bag?",
            "{name} found {a} {thing}, and {other} found {b} fewer. How many {thing} did {other} find?",
        ),
    ),
    Family(
        "cost",
        1,
        two_factors,
        lambda a, b: a * b,
        (
            "One ticket costs {b} dollars. How many dollars do {a} tickets cost?",
            "{name} buys {a} books for {b} dollars each. How many dollars does {name} pay?",
            "{name} earns {b} dollars an hour and works {a} hours. How many dollars does {name} earn?",
        ),
    ),
    Family(
        "age",
        1,
        two_terms,
        lambda a, b: a + b,
        (
            "{name} is {a} years old. How old will {name} be in {b} years?",
            "{name} is {a} years old, and {other} is {b} years older. How old is {other}?",
            "{other} was {a} years old when {other} moved to town {b} years ago. How old is {other} now?",
        ),
    ),
    Family(
        "gain_then_loss",
        2,
        terms_then_less,
        lambda a, b, c: a + b - c,
        (
            "{name} has {a} {thing}, buys {b} more and then gives {c} to {other}. How many {thing} does {name} have now?",
            "A box holds {a} {thing}. {name} puts in {b} more, and {other} takes out {c}. How many {thing} are in the box?",
            "{name} picks {a} {thing} on Monday and {b} {thing} on Tuesday, and then uses {c} of them. How many {thing} are left?",
        ),
    ),
    Family(
        "three_sum",
        2,
        three_terms,
        lambda a, b, c: a + b + c,
        (
            "{name} has {a} red, {b} blue and {c} green {thing}. How many {thing} does {name} have in all?",
            "{name} sold {a} {thing} on Friday, {b} on Saturday and {c} on Sunday. How many {thing} did {name} sell in the three days?",
            "There are {a} {thing} in the kitchen, {b} in the hall and {c} in the garden. How many {thing} are there together?",
        ),
    ),
    Family(
        "groups_and_extra",
        2,
        factors_and_term,
        lambda a, b, c: a * b + c,
        (
            "{name} has {a} {container} with {b} {thing} in each, and {c} loose {thing}. How many {thing} does {name} have?",
            "{name} buys {a} {container} of {b} {thing} and gets {c} more {thing} as a present. How many {thing} does {name} have now?",
            "There are {a} {container} with {b} {thing} each in a room, and {c} {thing} on the floor. How many {thing} are in the room?",
        ),
    ),
    Family(
        "pair_total",
        2,
        two_small_terms,
        lambda a, b: a + a + b,
        (
            "{name} has {a} {thing}. {other} has {b} more {thing} than {name}. How many {thing} do they have together?",
            "{name} ran {a} laps, and {other} ran {b} laps more than {name}. How many laps did the two run together?",
            "On Monday {name} read {a} pages, and on Tuesday {b} pages more than on Monday. How many pages did {name} read on both days together?",
        ),
    ),
)
