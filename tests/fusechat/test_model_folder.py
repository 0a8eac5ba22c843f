"""A model folder is checked before anything heavy starts, and known again by its content."""

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from fusechat.errors import BadInput
from fusechat.model_folder import check_model_folder, model_fingerprint, os_errors, written_whole


def make_folder(folder, weights=b"weights"):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_whole_folder_and_a_hub_id_pass(tmp_path):
    check_model_folder(make_folder(tmp_path / "model"))
    check_model_folder("org/name")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(BadInput, match="holds no weights"):
        check_model_folder(make_folder(tmp_path / "unfinished", weights=None))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"holds no config\.json"):
        check_model_folder(tmp_path / "empty")
    with pytest.raises(BadInput, match="neither an existing folder nor a Hub id"):
        check_model_folder(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="is a file"):
        check_model_folder(tmp_path / "unfinished" / "config.json")


def test_the_fingerprint_follows_the_content_not_the_place(tmp_path):
    big = bytes(3 << 20)
    one = model_fingerprint(make_folder(tmp_path / "one", big))
    assert one == model_fingerprint(make_folder(tmp_path / "two", big))
    assert one != model_fingerprint(make_folder(tmp_path / "three", big[:-1] + b"\1"))
    assert one != model_fingerprint(make_folder(tmp_path / "four", big + b"\0"))
    (tmp_path / "one" / "README.md").write_text("a model card")
    assert one == model_fingerprint(tmp_path / "one")


def test_a_models_files_appear_together_and_its_config_last(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "model", b"old weights")
    moved = []
    replace = Path.replace

    def noted(path, target):
        moved.append(path.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    with written_whole(folder) as temporary:
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            (temporary / name).write_text("new")
        assert (folder / "model.safetensors").read_bytes() == b"old weights"
    assert moved == ["model.safetensors", "tokenizer.json", "config.json"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(moved)


def test_what_could_not_be_written_leaves_the_old_model_and_is_an_error_of_the_system(tmp_path):
    tokenizer = Tokenizer(WordLevel({"a": 0}, "a"))
    folder = make_folder(tmp_path / "model")
    with (
        pytest.raises(OSError, match="No such file or directory") as caught,
        written_whole(folder) as temporary,
    ):
        (temporary / "model.safetensors").write_text("new")
        tokenizer.save(str(temporary / "missing" / "tokenizer.json"))
    assert caught.value.errno == errno.ENOENT and caught.value.filename == str(temporary)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    with pytest.raises(OSError, match="No space left on device"), os_errors(tmp_path):
        tokenizer.save("/dev/full")
    with pytest.raises(OSError, match="No such file or directory"), os_errors(tmp_path):
        save_file({"a": np.ones(3)}, tmp_path / "missing" / "model.safetensors")
