"""The last boxed answer of a text, as LiveBench finds it in maths and spatial questions."""


def last_box(text: str) -> str | None:
    r"""What the last `\boxed{...}` (else `\fbox{...}`) holds, dollars dropped; None without a closed one.

    A box written without braces (`\boxed 5$`) reaches to the next dollar, and goes first.
    """
    if "\\boxed " in text:
        return text.rpartition("\\boxed ")[2].partition("$")[0]
    name = "\\boxed" if "\\boxed" in text else "\\fbox"
    start = text.rfind(name)
    if start < 0 or text[start + len(name) : start + len(name) + 1] != "{":
        return None
    depth = 0
    for position in range(start + len(name), len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start + len(name) + 1 : position].replace("$", "")
    return None
