"""Choices of run_evals.py where published protocols differ from each other, or from what the report says."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fusechat.errors import BadInput

ChatStyle = Literal["template", "bare"]
CHAT_STYLES: tuple[ChatStyle, ...] = ("template", "bare")
# The report's window of LiveCodeBench. Its authors' script has another one (2024-06-30, without an end).
FIRST_DAY, LAST_DAY = "2024-08-01", "2024-11-30"


@dataclass(frozen=True, kw_only=True)
class Switches:
    """One choice each; `run_evals.py --help` tells what they mean."""

    chat_style: Mapping[str, ChatStyle] = field(default_factory=dict)
    stop_at_comments: bool = False
    percent_factor: bool = False
    code_fence: Literal["first", "last"] = "first"
    first_day: str = FIRST_DAY
    last_day: str = LAST_DAY
    unrated: Literal["missing", "drop", "minus-one"] = "missing"


def chat_styles(texts: Sequence[str], known: Sequence[str]) -> dict[str, ChatStyle]:
    """BENCHMARK=template or BENCHMARK=bare, by benchmark; BadInput names what is wrong."""
    styles: dict[str, ChatStyle] = {}
    for text in texts:
        name, _, style = text.partition("=")
        if name not in known or style not in CHAT_STYLES:
            raise BadInput(
                f"--chat-style {text}: must be BENCHMARK=template or BENCHMARK=bare; known are: {', '.join(known)}"
            )
        styles[name] = style
    return styles


def check_window(first_day: str, last_day: str) -> None:
    """BadInput unless both are days, in this order."""
    for flag, day in (("--lcb-first-day", first_day), ("--lcb-last-day", last_day)):
        try:
            is_day = datetime.date.fromisoformat(day).isoformat() == day
        except ValueError:
            is_day = False
        if not is_day:
            raise BadInput(f"{flag} {day}: is no day; give it as 2024-08-01")
    if first_day > last_day:
        raise BadInput(f"--lcb-first-day {first_day}: is after --lcb-last-day {last_day}")
