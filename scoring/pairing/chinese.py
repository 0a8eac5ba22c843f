"""Chinese: one answer per prompt, to SFT, after basic checks; no reward model is needed and no pair is made."""

from collections.abc import Sequence

from scoring.pairing.candidates import Candidate, Decision, usable_for_sft
from scoring.pairing.rules import PairRules

NO_USABLE = "no whole Chinese answer"
CJK_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))


def decide_chinese(candidates: Sequence[Candidate], rules: PairRules) -> Decision:
    """The first whole answer in the order of sources and samples. Candidates have passed `is_mostly_chinese`."""
    whole = usable_for_sft(candidates, rules)
    return Decision(sft=whole[0]) if whole else Decision(unused=NO_USABLE)


def is_mostly_chinese(text: str, least_share: float) -> bool:
    """Whether at least this share of the text's letters are Chinese characters; False without any letter."""
    letters = [character for character in text if character.isalpha()]
    chinese = sum(any(low <= ord(letter) <= high for low, high in CJK_RANGES) for letter in letters)
    return bool(letters) and chinese >= least_share * len(letters)
