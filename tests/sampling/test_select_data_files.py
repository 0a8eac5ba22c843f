"""Finding a dataset's files under --data-root, and reading them in pieces."""

import gzip
from pathlib import Path

import pytest
import selection_fixtures as fixtures

from fusechat.errors import BadInput
from sampling.selection import data_files
from sampling.selection.data_files import find_files, pieces_of
from sampling.selection.layouts import BY_NAME, HELPSTEER2, OPENMATHINSTRUCT2, ULTRAFEEDBACK
from sampling.selection.row_readers import check_parquet_columns, read_rows

ULTRA = BY_NAME[ULTRAFEEDBACK]


def found(tmp_path: Path, dataset: str, split: str, *names: str) -> list[str]:
    folder = tmp_path / dataset
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    files = find_files(tmp_path, BY_NAME[dataset], [split])
    assert files is not None
    return [str(path.relative_to(folder)) for path in files]


def test_only_the_wanted_split_is_read(tmp_path: Path) -> None:
    names = ("data/train-00000-of-00001.parquet", "data/train_1M-00000-of-00001.parquet", "data/train_2M-00000-of-00001.parquet")  # fmt: skip
    assert found(tmp_path, OPENMATHINSTRUCT2, "train_1M", *names) == ["data/train_1M-00000-of-00001.parquet"]
    assert found(tmp_path, OPENMATHINSTRUCT2, "train") == ["data/train-00000-of-00001.parquet"]


def test_a_split_that_the_wanted_one_is_a_sample_of_stands_in_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("data/train-00000-of-00001.parquet", "data/train_2M-00000-of-00001.parquet")
    assert found(tmp_path, OPENMATHINSTRUCT2, "train_1M", *names) == [names[1]]
    assert "has no split 'train_1M'; reading 'train_2M', which it is a sample of" in capsys.readouterr().err


@pytest.mark.parametrize("tail", ["", "-0123456789abcdef"])
def test_a_missing_file_of_a_split_is_refused_by_its_name(tail: str, tmp_path: Path) -> None:
    names = [f"data/train-0000{index}-of-00003{tail}.parquet" for index in (0, 2)]
    with pytest.raises(BadInput, match=r"train-00001-of-00003\*: is missing, 1 of 00003 files"):
        found(tmp_path, ULTRAFEEDBACK, "train", *names)


def test_files_that_name_no_split_are_read_where_none_does(tmp_path: Path) -> None:
    assert found(tmp_path, ULTRAFEEDBACK, "train", "flan.jsonl", "sharegpt.jsonl", "README.md") == [
        "flan.jsonl",
        "sharegpt.jsonl",
    ]


def test_side_folders_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    names = (
        "train.jsonl.gz",
        "validation.jsonl.gz",
        "preference/preference.jsonl.gz",
        ".cache/train.jsonl.gz",
    )
    assert found(tmp_path, HELPSTEER2, "train", *names) == ["train.jsonl.gz"]


def test_a_folder_can_name_the_split(tmp_path: Path) -> None:
    assert found(
        tmp_path, HELPSTEER2, "train", "default/train/0000.parquet", "default/validation/0000.parquet"
    ) == ["default/train/0000.parquet"]


def test_a_dataset_that_is_not_there_is_left_to_the_hub_and_an_empty_folder_is_refused(
    tmp_path: Path,
) -> None:
    assert find_files(tmp_path, ULTRA, ["train"]) is None
    assert find_files(None, ULTRA, ["train"]) is None
    (tmp_path / ULTRAFEEDBACK).mkdir(parents=True)
    with pytest.raises(BadInput, match=r"holds no \.parquet"):
        find_files(tmp_path, ULTRA, ["train"])


def rows_of(path: Path) -> list[tuple[object, ...]]:
    return [row for piece in pieces_of(path) for rows in read_rows(piece, ULTRA) for row in rows]


def test_json_lines_cut_into_pieces_give_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    fixtures.write_json_lines(
        path, [{"instruction": f"Number {index}. " + "é" * index, "source": "s"} for index in range(60)]
    )
    whole = rows_of(path)
    for size in (1, 7, 100, 1000):
        monkeypatch.setattr(data_files, "BLOCK_BYTES", size)
        assert len(pieces_of(path)) > 1
        assert rows_of(path) == whole
    assert len(whole) == 60


def test_a_fault_in_a_later_piece_is_named_by_its_line_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"instruction": "a", "source": "s"}\n' * 9 + '{"instruction": 1}\n', encoding="utf-8")
    monkeypatch.setattr(data_files, "BLOCK_BYTES", 70)
    with pytest.raises(BadInput, match=r"a\.jsonl:10: column instruction"):
        rows_of(path)


def test_the_same_rows_come_from_every_format(tmp_path: Path) -> None:
    rows = [{"instruction": "Hello\u2028there", "source": None}, {"instruction": None, "source": "flan"}]
    expected = [("Hello\u2028there", None), (None, "flan")]
    fixtures.write_json_lines(tmp_path / "a.jsonl", rows)
    fixtures.write_json_lines(tmp_path / "a.jsonl.gz", rows)
    fixtures.write_json(tmp_path / "a.json", rows)
    fixtures.write_json_lines(tmp_path / "lines.json", rows)
    fixtures.write_parquet(tmp_path / "a.parquet", rows)
    (tmp_path / "bom.jsonl").write_bytes(
        b"\xef\xbb\xbf" + (tmp_path / "a.jsonl").read_bytes().replace(b"\n", b"\r\n")
    )
    for name in ("a.jsonl", "a.jsonl.gz", "a.json", "lines.json", "a.parquet", "bom.jsonl"):
        assert rows_of(tmp_path / name) == expected, name


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    fixtures.write_parquet(tmp_path / "a.parquet", [{"instruction": "Hello"}])
    fixtures.write_json_lines(tmp_path / "a.jsonl", [{"instruction": "Hello", "other": 1}])
    assert rows_of(tmp_path / "a.parquet") == rows_of(tmp_path / "a.jsonl") == [("Hello", None)]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz", "a.json.gz"])
def test_damaged_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    data = (
        b"PAR1 not really" if name.endswith("parquet") else gzip.compress(b'{"instruction": "a"}\n' * 99)[:-9]
    )
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=name):
        rows_of(tmp_path / name)
    if name.endswith("parquet"):
        with pytest.raises(BadInput, match=name):
            check_parquet_columns(tmp_path / name, ULTRA)


def test_a_parquet_file_with_damaged_pages_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    fixtures.write_parquet(path, [{"instruction": f"Tell me about bird {number}."} for number in range(200)])
    data = bytearray(path.read_bytes())
    data[30:200] = bytes(byte ^ 0x5A for byte in data[30:200])
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.parquet: is not a parquet file that can be read"):
        rows_of(path)
