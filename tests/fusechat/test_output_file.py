"""The file protocol: append to .partial, go on, refuse other settings, rename in one step."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fusechat.errors import BadInput
from fusechat.output_file import OutputFile, encode_line, write_atomically, write_json
from fusechat.run_manifest import Manifest


@dataclass
class Args:
    """Settings of a pretended step."""

    output: Path
    seed: int = 1
    workers: int = 2


def open_output(path, *, overwrite=False, inputs=None, **settings):
    manifest = Manifest(
        script="step/script.py", args=Args(path, **settings), inputs=inputs, free=("workers",)
    )
    return OutputFile(path, id_field="id", manifest=manifest, overwrite=overwrite)


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_a_finished_file_has_its_lines_its_sidecar_and_nothing_left_beside_it(tmp_path):
    path = tmp_path / "new folder" / "x.jsonl"
    with open_output(path) as output:
        assert not path.exists()
        output.write({"id": "a", "text": "ä\u2028"})
        output.write({"id": "b"})
        output.finish(counts={"read": 2})
    assert lines_raw(path) == ['{"id": "a", "text": "ä\u2028"}', '{"id": "b"}']
    assert sorted(os.listdir(path.parent)) == ["x.jsonl", "x.jsonl.run.json"]
    sidecar = json.loads((path.parent / "x.jsonl.run.json").read_text())
    assert sidecar["counts"] == {"read": 2}
    assert sidecar["arguments"]["seed"] == 1
    assert {"script", "git_commit", "libraries", "seconds", "python"} <= set(sidecar)


def lines_raw(path):
    return path.read_bytes().decode().rstrip("\n").split("\n")


def test_an_unbroken_and_a_resumed_run_end_with_the_same_bytes(tmp_path):
    for stop in range(5):
        path = tmp_path / f"x{stop}.jsonl"
        with open_output(path) as output:
            for number in range(stop):
                output.write({"id": str(number)})
        with open_output(path) as output:
            assert output.done == {str(number) for number in range(stop)}
            for number in range(5):
                if str(number) not in output.done:
                    output.write({"id": str(number)})
            output.finish()
        assert lines(path) == [json.dumps({"id": str(number)}) for number in range(5)]


@pytest.mark.parametrize("torn", [b'{"id": "b', b'{"id": "b"}', b"\xff\xfe", b"{" * 3_000_000])
def test_a_torn_last_line_is_dropped_and_written_again(tmp_path, torn):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
    with (tmp_path / "x.jsonl.partial").open("ab") as file:
        file.write(torn)
    with open_output(path) as output:
        assert output.done == {"a"}
        output.write({"id": "b"})
        output.finish()
    assert lines(path) == ['{"id": "a"}', '{"id": "b"}']


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
    with (tmp_path / "x.jsonl.partial").open("ab") as file:
        file.write(b'{"id": \n{"id": "c"}\n')
    with pytest.raises(BadInput, match=r"x\.jsonl\.partial:2: id: this line is damaged"), open_output(path):
        pass


def test_going_on_under_other_settings_is_refused_by_the_settings_name(tmp_path):
    path, data = tmp_path / "x.jsonl", tmp_path / "data.jsonl"
    data.write_text('{"a": 1}\n')
    with open_output(path, inputs={"prompts": [data]}) as output:
        output.write({"id": "a"})
    with (
        pytest.raises(BadInput, match="seed was 1, is 2"),
        open_output(path, inputs={"prompts": [data]}, seed=2),
    ):
        pass
    data.write_text('{"a": 2}\n')
    with pytest.raises(BadInput, match="prompts was"), open_output(path, inputs={"prompts": [data]}):
        pass
    data.write_text('{"a": 1}\n')
    with open_output(path, inputs={"prompts": [data]}, workers=7) as output:
        assert output.done == {"a"}


def test_overwrite_starts_anew_and_keeps_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "old"})
        output.finish()
    assert open_output(path).is_complete
    again = open_output(path, overwrite=True, seed=5)
    assert not again.is_complete
    with again as output:
        output.write({"id": "new"})
        assert lines(path) == ['{"id": "old"}']
        output.finish()
    assert lines(path) == ['{"id": "new"}']


def test_a_second_run_on_the_same_output_is_refused(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
        with pytest.raises(BadInput, match="another run is writing it"), open_output(path):
            pass
        output.write({"id": "b"})
        output.finish()
    assert lines(path) == ['{"id": "a"}', '{"id": "b"}']


def test_an_id_is_never_written_twice(tmp_path):
    with open_output(tmp_path / "x.jsonl") as output:
        output.write({"id": "a"})
        with pytest.raises(ValueError, match="written twice"):
            output.write({"id": "a"})


def test_finish_puts_lines_into_the_planned_order(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        for name in ("c", "a", "b"):
            output.write({"id": name, "text": name * 5})
        output.finish(order=["a", "b", "c"])
    assert [json.loads(line)["id"] for line in lines(path)] == ["a", "b", "c"]
    assert sorted(os.listdir(tmp_path)) == ["x.jsonl", "x.jsonl.run.json"]


def test_finish_refuses_a_plan_that_was_not_carried_out(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
        with pytest.raises(RuntimeError, match="not the ids planned: b"):
            output.finish(order=["a", "b"])
    assert not path.exists()


def test_a_run_that_fails_before_its_first_line_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), open_output(tmp_path / "x.jsonl"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    with (
        pytest.raises(BadInput, match="no such file"),
        open_output(tmp_path / "x.jsonl", inputs={"p": ["gone.jsonl"]}),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_an_unwritable_output_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"), open_output(tmp_path / "file" / "x.jsonl"):
        pass
    with pytest.raises(BadInput, match="cannot be written"):
        write_atomically(tmp_path / "file" / "x.json", "{}")


def test_a_full_disk_keeps_what_is_done(tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    real_write = os.write

    def full_disk(descriptor, data):
        if len(data) < 50:
            return real_write(descriptor, data)
        real_write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    with open_output(path) as output:
        output.write({"id": "a"})
        monkeypatch.setattr(os, "write", full_disk)
        with pytest.raises(
            BadInput, match="No space left on device; make room, then the same command goes on"
        ):
            output.write({"id": "b", "text": "x" * 100})
    monkeypatch.undo()
    with open_output(path) as output:
        assert output.done == {"a"}


def test_lines_never_hold_nan_and_lone_surrogates_become_readable():
    with pytest.raises(ValueError, match="JSON"):
        encode_line({"x": float("nan")})
    assert json.loads(encode_line({"x": "a\ud800b😀"}).decode("utf-8")) == {"x": "a\ufffdb😀"}


def test_an_output_that_is_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="is a folder; give the name of a file"):
        _ = open_output(tmp_path).is_complete


def test_a_line_that_stands_twice_in_the_part_stands_once_in_the_file(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
        output.write({"id": "b"})
    partial = tmp_path / "x.jsonl.partial"
    partial.write_bytes(partial.read_bytes() * 2)
    with open_output(path) as output:
        assert output.done == {"a", "b"}
        output.write({"id": "c"})
        output.finish(order=["a", "b", "c"])
    assert [json.loads(line)["id"] for line in lines(path)] == ["a", "b", "c"]


def test_a_part_with_an_id_that_nobody_asked_for_is_refused(tmp_path):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
        output.write({"id": "z"})
        with pytest.raises(BadInput, match=r"x\.jsonl\.partial: id: z is not asked for"):
            output.finish(order=["a"])
    assert not path.exists()


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_damaged_settings_of_a_part_are_a_clear_error(tmp_path, text):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "a"})
    (tmp_path / "x.jsonl.partial.run.json").write_text(text)
    with pytest.raises(BadInput, match=r"x\.jsonl\.partial\.run\.json: is damaged"), open_output(path):
        pass


def test_what_a_run_killed_amid_a_rename_left_is_removed(tmp_path):
    path = tmp_path / "x.jsonl"
    for name in ("x.jsonl.ordered", "x.jsonl.run.json.77.tmp", "x.jsonl.partial.run.json.77.tmp"):
        (tmp_path / name).write_text("")
    (tmp_path / "x2.jsonl.run.json.77.tmp").write_text("another file's")
    with open_output(path) as output:
        output.write({"id": "a"})
        output.finish()
    assert sorted(os.listdir(tmp_path)) == ["x.jsonl", "x.jsonl.run.json", "x2.jsonl.run.json.77.tmp"]


def test_a_disk_that_fills_while_lines_are_put_in_order_keeps_them(tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    with open_output(path) as output:
        output.write({"id": "b"})
        output.write({"id": "a"})
        monkeypatch.setattr(os, "fsync", no_room)
        with pytest.raises(
            BadInput, match="No space left on device; make room, then the same command goes on"
        ):
            output.finish(order=["a", "b"])
    monkeypatch.undo()
    assert not (tmp_path / "x.jsonl.ordered").exists()
    with open_output(path) as output:
        output.finish(order=["a", "b"])
    assert [json.loads(line)["id"] for line in lines(path)] == ["a", "b"]


def no_room(descriptor):
    raise OSError(28, "No space left on device")


def test_an_unwritable_or_busy_output_can_be_known_beforehand(tmp_path):
    path = tmp_path / "x.jsonl"
    open_output(path).check_writable()
    assert os.listdir(tmp_path) == []
    with open_output(path), pytest.raises(BadInput, match="another run is writing it"):
        open_output(path).check_writable()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        open_output(tmp_path / "file" / "x.jsonl").check_writable()


def test_paths_that_are_no_utf_8_do_not_stop_a_run(tmp_path):
    write_json(tmp_path / "x.json", {"path": "a\udcff"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"path": "a?"}
