"""Duplicates, near-duplicates and overlap with benchmark questions."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash, MinHashLSH

from fusechat.errors import BadInput
from fusechat.records import Message, Prompt, normalised_text
from sampling.selection.candidate_pool import CandidatePool, encode
from sampling.selection.choosing import Chooser
from sampling.selection.decontamination import Questions
from sampling.selection.drafts import Draft, make_draft
from sampling.selection.near_duplicates import BandIndex, NearDuplicates, shingle_hashes
from sampling.selection.settings import DatasetSettings, DecontaminationSettings, NearDuplicateSettings

STORY = (
    "Write a short story about an old lighthouse keeper on a remote island who finds a letter in a bottle, "
    "written by a girl who lived on the mainland a hundred years ago, and who decides to answer it."
)


def twin_of(kept: str, text: str, *, numbers_count: bool = False) -> str | None:
    index = NearDuplicates(NearDuplicateSettings())
    kept, text = normalised_text(kept), normalised_text(text)
    index.keep("kept", kept, index.signature(kept))
    return index.find(text, index.signature(text), numbers_count=numbers_count)


def draft(text: str, *, gold: str | None = None, source: str = "a") -> Draft:
    messages = [Message("user", text)]
    return make_draft("nvidia/HelpSteer2", "instruction", messages, meta={"source": source}, gold_answer=gold)


def kept_texts(pool: CandidatePool, settings: DatasetSettings, seed: int = 0) -> list[str]:
    chooser = Chooser(NearDuplicateSettings(), None, None, lambda drop: None)
    kept: list[Prompt] = []
    choice = chooser.choose(pool, settings, seed, kept.append)
    assert choice.prompt_ids == [prompt.prompt_id for prompt in kept]
    return [prompt.messages[0].content for prompt in kept]


@pytest.mark.parametrize(
    "changed",
    [
        STORY.replace("short ", ""),
        STORY.replace("remote", "distant"),
        "Please " + STORY,
        STORY.upper() + "!!",
        STORY.replace(",", " ,"),
    ],
)
def test_small_changes_make_near_duplicates(changed: str) -> None:
    assert twin_of(STORY, changed) == "kept"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a poem about cats.", "Write a poem about dogs."),
        ("写一篇关于春天的作文。", "写一篇关于秋天的作文。"),
        ("What is the capital of France?", "What is the capital of Finland?"),
        (
            STORY,
            STORY[: len(STORY) // 2]
            + " Then tell me why the sea is salty, and how deep it is in the middle.",
        ),
    ],
)
def test_different_requests_in_like_words_stay_apart(one: str, other: str) -> None:
    assert twin_of(one, other) is None


def test_problems_that_differ_in_a_number_stay_apart_where_numbers_count() -> None:
    problem = (
        "A farmer sells {} crates of apples on Monday and twice as many on Tuesday, and each crate holds 20 apples. "
        "How many apples does the farmer sell on the two days together?"
    )
    assert twin_of(problem.format(13), problem.format(14)) == "kept"
    assert twin_of(problem.format(13), problem.format(14), numbers_count=True) is None
    assert (
        twin_of(problem.format(13), problem.format(13).replace("Monday", "Sunday"), numbers_count=True)
        == "kept"
    )


def test_a_text_shorter_than_one_run_of_characters_has_a_signature() -> None:
    assert twin_of("嗨", "嗨") == "kept"
    assert twin_of("嗨", "喂") is None


def test_near_duplicates_among_many_texts_are_found() -> None:
    chooser = random.Random(3)
    words = [f"word{index}" for index in range(500)]
    texts = [" ".join(chooser.choices(words, k=40)) for _ in range(200)]
    index = NearDuplicates(NearDuplicateSettings())
    for number, text in enumerate(texts):
        index.keep(str(number), text, index.signature(text))
    found = 0
    for number, text in enumerate(texts):
        changed = text + " and one more"
        found += index.find(changed, index.signature(changed), numbers_count=False) == str(number)
    assert found >= 199


def test_of_drafts_with_one_id_the_same_is_kept_in_any_order(tmp_path: Path) -> None:
    drafts = [draft("Name a river."), draft("name  a RIVER.", source="b"), draft("Name a river.", source="c")]
    kept: set[str] = set()
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]):
        with CandidatePool(tmp_path) as pool:
            for index in order:
                pool.add(encode(drafts[index]))
            assert (len(pool), pool.duplicates) == (1, 2)
            kept.update(str(found) for found in pool.in_order(seed=0))
    assert len(kept) == 1


def test_prompts_whose_gold_answers_contradict_each_other_are_unusable(tmp_path: Path) -> None:
    with CandidatePool(tmp_path) as pool:
        for item in (
            draft("Add 1 and 2.", gold="3"),
            draft("Add 1 and 2.", gold="4"),
            draft("Add 1 and 1.", gold="2"),
        ):
            pool.add(encode(item))
        assert pool.conflicts == 1
        assert [found.prompt.gold_answer for found in pool.in_order(seed=0)] == ["2"]


def test_the_pools_files_are_gone_even_while_it_is_open(tmp_path: Path) -> None:
    with CandidatePool(tmp_path) as pool:
        pool.add(encode(draft("Name a river.")))
        assert list(tmp_path.iterdir()) == []


def test_a_smaller_cap_keeps_a_part_of_what_a_larger_one_keeps(tmp_path: Path) -> None:
    with CandidatePool(tmp_path) as pool:
        for number in range(50):
            pool.add(encode(draft(f"Describe animal {number} and where it lives, in {number} words.")))
        few = kept_texts(pool, DatasetSettings(max_prompts=10, near_duplicates="never"))
        more = kept_texts(pool, DatasetSettings(max_prompts=30, near_duplicates="never"))
        other_seed = kept_texts(pool, DatasetSettings(max_prompts=10, near_duplicates="never"), seed=1)
    assert len(few) == 10
    assert more[:10] == few
    assert set(other_seed) != set(few)


def questions(tmp_path: Path, rows: list[object], **settings: int) -> Questions:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Questions([str(path)], DecontaminationSettings(**settings))


WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_not(tmp_path: Path) -> None:
    found = questions(tmp_path, [{"question": "Nothing."}, {"question": WORDS}])
    thirteen = " ".join(WORDS.split()[1:14])
    assert found.overlap(f"Before. {thirteen.upper()}! After.") == f"{tmp_path}/questions.jsonl:2"
    assert found.overlap(" ".join(WORDS.split()[1:13])) is None
    assert found.overlap(" ".join(reversed(WORDS.split()))) is None


def test_punctuation_and_case_do_not_hide_an_overlap(tmp_path: Path) -> None:
    assert questions(tmp_path, [{"problem": WORDS}]).overlap(WORDS.replace(" ", ", ").title()) is not None


def test_a_short_question_counts_as_a_whole_and_a_very_short_one_not_at_all(tmp_path: Path) -> None:
    found = questions(
        tmp_path,
        [{"prompt": "What is the tallest mountain of the country Bhutan"}, {"prompt": "What is it?"}],
    )
    assert found.overlap("Tell me: what is the tallest mountain of the country Bhutan?") is not None
    assert found.overlap("What is it?") is None


def test_chinese_characters_are_words(tmp_path: Path) -> None:
    found = questions(tmp_path, [{"question": "请解释为什么天空在晴朗的日子里是蓝色的"}])
    assert found.overlap("你好，请解释为什么天空在晴朗的日子里是蓝色的。") is not None
    assert found.overlap("请解释为什么天空在晚上是黑色的。") is None


def test_word_runs_that_many_questions_share_are_ignored(tmp_path: Path) -> None:
    rows = [{"question": f"{WORDS} number {index}"} for index in range(3)]
    assert questions(tmp_path, list(rows), max_question_share=3).overlap(WORDS) is not None
    assert questions(tmp_path, list(rows), max_question_share=2).overlap(WORDS) is None


def test_questions_come_from_chats_arrays_and_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"turns": ["Hello.", WORDS]}, WORDS]), encoding="utf-8")
    (tmp_path / "b.txt").write_text(f"\n{WORDS}\n", encoding="utf-8")
    for name in ("a.json", "b.txt"):
        assert Questions([str(tmp_path / name)], DecontaminationSettings()).overlap(WORDS) is not None


def test_questions_come_from_the_formats_in_which_benchmarks_are_published(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"id": [1, 2], "turns": [["Hello."], ["Hello.", WORDS]]}), tmp_path / "bench.parquet"
    )
    (tmp_path / "gpqa.csv").write_text(
        f'Id,Question\n1,"Two\nlines, one row"\n2,"{WORDS}"\n', encoding="utf-8"
    )
    (tmp_path / "humaneval.jsonl.gz").write_bytes(
        gzip.compress(
            json.dumps({"task_id": "x/0", "prompt": "f"}).encode()
            + b"\n"
            + json.dumps({"prompt": WORDS}).encode()
        )
    )
    for name in ("bench.parquet", "gpqa.csv", "humaneval.jsonl.gz"):
        found = Questions([str(tmp_path / name)], DecontaminationSettings())
        assert found.overlap(WORDS) == f"{tmp_path / name}:2", name


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz", "a.json", "a.jsonl"])
def test_a_damaged_question_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b'{"question": "x"')
    with pytest.raises(BadInput, match=name):
        Questions([str(tmp_path / name)], DecontaminationSettings())


def test_a_question_file_without_a_question_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"questions\.jsonl:2: has no question"):
        questions(tmp_path, [{"question": "a"}, {"answer": "b"}])


def test_signatures_are_those_of_datasketch() -> None:
    for text in (STORY, "嗨", "写一篇关于春天的作文。", "a" * 6000):
        reference = MinHash(128, seed=1, hashfunc=lambda value: value, scheme="affine32")
        reference.update_batch(shingle_hashes(text, 5))
        assert np.array_equal(
            NearDuplicates(NearDuplicateSettings()).signature(text).values, reference.hashvalues
        )


def test_the_index_finds_the_rows_that_datasketchs_own_index_finds() -> None:
    """Few distinct values, so that rows often share a band; more rows than the first tables take."""
    rows = np.random.default_rng(5).integers(0, 4, size=(9000, 32), dtype=np.uint32)
    ours = BandIndex(bands=4)
    theirs = MinHashLSH(num_perm=32, params=(4, 8))
    for number, row in enumerate(rows):
        ours.insert(ours.band_hashes(row))
        theirs.insert(
            number, MinHash(hashvalues=row, permutations=MinHash(32).permutations, scheme="affine32")
        )
    hits = 0
    for row in rows[::50]:
        signature = MinHash(hashvalues=row, permutations=MinHash(32).permutations, scheme="affine32")
        assert ours.query(ours.band_hashes(row)) == sorted(theirs.query(signature))
        hits += len(ours.query(ours.band_hashes(row)))
    assert hits > 200
