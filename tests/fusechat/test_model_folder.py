"""A model folder is checked before anything heavy starts, and known again by its content."""

import pytest

from fusechat.errors import BadInput
from fusechat.model_folder import check_model_folder, model_fingerprint


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
