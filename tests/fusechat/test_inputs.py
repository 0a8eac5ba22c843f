"""Input flags take files, folders and globs; a hole in a shard set is named; shards split the work."""

import pytest

from fusechat.errors import BadInput
from fusechat.inputs import Shard, expand_inputs, resolve_shard


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in (
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_MIN",
        "SLURM_ARRAY_TASK_STEP",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)


def touch(folder, *names):
    for name in names:
        (folder / name).write_text("{}\n")


def test_a_file_a_folder_and_a_glob_are_expanded_without_doubles(tmp_path):
    touch(tmp_path, "a.jsonl", "b.jsonl", "a.jsonl.run.json", "notes.txt")
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert expand_inputs([tmp_path]) == [a, b]
    assert expand_inputs([str(tmp_path / "*.jsonl"), a]) == [a, b]
    assert expand_inputs([b, a]) == [b, a]


def test_naming_the_unsharded_file_finds_its_shards(tmp_path):
    touch(tmp_path, "x-00000-of-00002.jsonl", "x-00001-of-00002.jsonl", "xy-00000-of-00001.jsonl")
    assert [path.name for path in expand_inputs([tmp_path / "x.jsonl"])] == [
        "x-00000-of-00002.jsonl",
        "x-00001-of-00002.jsonl",
    ]


@pytest.mark.parametrize("how", ["folder", "glob", "name"])
def test_a_missing_shard_is_named(tmp_path, how):
    touch(tmp_path, "x-00000-of-00003.jsonl", "x-00002-of-00003.jsonl")
    given = {"folder": tmp_path, "glob": tmp_path / "x-*.jsonl", "name": tmp_path / "x.jsonl"}[how]
    with pytest.raises(BadInput, match=r"x-00001-of-00003\.jsonl: this shard is missing"):
        expand_inputs([given])


def test_an_unfinished_file_is_refused_with_what_to_do(tmp_path):
    touch(tmp_path, "a.jsonl", "b.jsonl.partial")
    with pytest.raises(BadInput, match=r"b\.jsonl: is not finished .*same command"):
        expand_inputs([tmp_path / "b.jsonl"])
    with pytest.raises(BadInput, match=r"b\.jsonl\.partial is not finished"):
        expand_inputs([tmp_path])


def test_nothing_found_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"holds no \.jsonl file"):
        expand_inputs([tmp_path])
    with pytest.raises(BadInput, match="no file matches"):
        expand_inputs([tmp_path / "*.jsonl"])
    with pytest.raises(BadInput, match="no input files"):
        expand_inputs([])


def test_shards_own_every_position_once(tmp_path):
    shards = [Shard(index, 3) for index in range(3)]
    owners = [[shard.index for shard in shards if shard.owns(position)] for position in range(10)]
    assert owners == [[0], [1], [2], [0], [1], [2], [0], [1], [2], [0]]
    assert Shard(3, 16).path(tmp_path / "x.jsonl") == tmp_path / "x-00003-of-00016.jsonl"
    assert Shard(0, 1).path(tmp_path / "x.jsonl") == tmp_path / "x.jsonl"


def test_the_shard_comes_from_flags_then_slurm_then_accelerate(monkeypatch):
    assert resolve_shard(None, None) == Shard(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert resolve_shard(None, None) == Shard(1, 2)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "4")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    assert resolve_shard(None, None) == Shard(3, 4)
    assert resolve_shard(8, 0) == Shard(0, 8)


@pytest.mark.parametrize(("count", "index"), [(2, 2), (0, 0), (2, -1), (2, None), (None, 1)])
def test_an_impossible_shard_is_refused(count, index):
    with pytest.raises(BadInput):
        resolve_shard(count, index)


def test_a_slurm_array_without_its_count_is_counted_from_its_ends(monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    with pytest.raises(BadInput, match="neither SLURM_ARRAY_TASK_COUNT nor SLURM_ARRAY_TASK_MAX"):
        resolve_shard(None, None)
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MAX", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_STEP", "2")
    assert resolve_shard(None, None) == Shard(3, 5)


def test_sizes_of_shards_add_up(tmp_path):
    assert [Shard(index, 4).size(10) for index in range(4)] == [3, 3, 2, 2]


def test_a_sharded_output_needs_a_name_that_inputs_find_again(tmp_path):
    with pytest.raises(BadInput, match=r"answers: the name of a sharded output ends in \.jsonl"):
        Shard(0, 2).path(tmp_path / "answers")


def test_a_glob_finds_no_side_files_and_refuses_unfinished_ones(tmp_path):
    touch(
        tmp_path,
        "a.jsonl",
        "a.jsonl.run.json",
        "a.jsonl.ordered",
        "a.jsonl.run.json.77.tmp",
        "a.jsonl.partial",
    )
    assert expand_inputs([tmp_path / "*"]) == [tmp_path / "a.jsonl"]
    touch(tmp_path, "b.jsonl.partial")
    with pytest.raises(BadInput, match=r"b\.jsonl\.partial is not finished"):
        expand_inputs([tmp_path / "*.jsonl"])
