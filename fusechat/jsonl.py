"""Reading JSONL: typed records, every fault named by file, line and field."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from fusechat.errors import BadInput
from fusechat.inputs import SHARD_NAME, expand_inputs
from fusechat.records import Domain, Prompt, Response

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

RecordT = TypeVar("RecordT")


def read_located(inputs: Sequence[str | Path], record_type: type[RecordT]) -> Iterator[tuple[RecordT, str]]:
    """Yields (record, "file:line") for every line of the inputs, one line in memory at a time.

    Raises BadInput for a broken line, a missing field, a wrong type or an empty input.
    """
    decoder = msgspec.json.Decoder(record_type)
    for path in expand_inputs(inputs):
        count = 0
        for number, line in _lines(path):
            location = f"{path}:{number}"
            if number == 1 and line.startswith(BYTE_ORDER_MARK):
                raise BadInput(
                    f"{location}: begins with a byte order mark; save the file as UTF-8 without one"
                )
            if not line.strip():
                raise BadInput(f"{location}: is an empty line; remove it")
            try:
                record = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise BadInput(f"{location}: {describe_decode_error(error)}") from None
            except UnicodeDecodeError:
                raise BadInput(f"{location}: is not UTF-8 text; save the file as UTF-8") from None
            except RecursionError:
                raise BadInput(f"{location}: its lists and objects are nested too deeply") from None
            count += 1
            yield record, location
        # One shard of many may rightly be empty: more shards than prompts.
        if count == 0 and not SHARD_NAME.match(path.name):
            raise BadInput(f"{path}: is empty; run the step that writes it again")


def read_jsonl(inputs: Sequence[str | Path], record_type: type[RecordT]) -> Iterator[RecordT]:
    """Like `read_located`, without the locations."""
    for record, _ in read_located(inputs, record_type):
        yield record


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    # Bytes split at LF only: text mode and str.splitlines() would also break lines at U+2028 and the like.
    try:
        with path.open("rb") as file:
            yield from enumerate(file, start=1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None


def describe_decode_error(error: msgspec.DecodeError) -> str:
    """msgspec's message in the order that we promise: field first, then what is wrong with it."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        what, _, where = text.partition(" - at `$")
        field = where.rstrip("`").lstrip(".")
        if field:
            return f"{field}: {what[:1].lower()}{what[1:]}"
        if what.startswith("Object missing required field"):
            return f"{what.split('`')[1]}: this field is missing"
        return what
    return f"is not valid JSON: {text}"


def read_by_id(inputs: Sequence[str | Path], record_type: type[RecordT], id_field: str) -> dict[str, RecordT]:
    """All records by id, in the order of the input. An id that comes twice is BadInput and names both places."""
    records: dict[str, RecordT] = {}
    places: dict[str, str] = {}
    for record, location in read_located(inputs, record_type):
        record_id = getattr(record, id_field)
        if record_id in places:
            raise BadInput(
                f"{location}: {id_field}: {record_id} stands already at {places[record_id]}; each id once"
            )
        records[record_id] = record
        places[record_id] = location
    return records


def read_prompts(inputs: Sequence[str | Path]) -> dict[str, Prompt]:
    """All prompts by prompt_id, in input order. Duplicates and empty inputs are BadInput."""
    prompts = read_by_id(inputs, Prompt, "prompt_id")
    if not prompts:
        raise BadInput(f"{', '.join(map(str, inputs))}: no prompts; run sampling/select_prompts.py first")
    return prompts


def read_responses(inputs: Sequence[str | Path], prompts: dict[str, Prompt]) -> Iterator[Response]:
    """Responses one by one, each checked: a known prompt, no id twice."""
    seen: set[str] = set()
    for response, location in read_located(inputs, Response):
        if response.prompt_id not in prompts:
            raise BadInput(
                f"{location}: prompt_id: {response.prompt_id} is not among the prompts; "
                "give the prompts file that these responses were sampled from"
            )
        if response.response_id in seen:
            raise BadInput(f"{location}: response_id: {response.response_id} comes twice; each id once")
        seen.add(response.response_id)
        yield response


def count_answers(inputs: Sequence[str | Path], prompts: dict[str, Prompt], domain: Domain) -> int:
    """How many responses are answers to prompts of a domain.

    Every line is checked on the way: a bad one shows before anything is written, while the input can be mended
    without making an unfinished output worthless.
    """
    return sum(prompts[response.prompt_id].domain == domain for response in read_responses(inputs, prompts))
