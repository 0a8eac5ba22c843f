"""Source models come from package wheels: found without importing them, checked, and written in one step."""

from pathlib import Path
from typing import Any

import jinja2
import pytest

from demo import prepare_models
from demo.prepare_models import MODELS, PackagedModel, join_parts, part_paths, prepare
from fusechat.errors import BadInput


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A model in two parts, inside a package that cannot be imported."""
    package = tmp_path / "site" / "weights_of_a_test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (package / "part0").write_bytes(b"one ")
    (package / "part1").write_bytes(b"two")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return PackagedModel(
        folder="small-model",
        parts=(("weights_of_a_test", "part0"), ("weights_of_a_test", "part1")),
        # printf 'one two' | sha256sum
        sha256="8ab63e29a4ba14e4e1688f9c15e5af90895421358c945b0431f85d66977bd3d2",
        requirement="weights-of-a-test==1.0",
        terms="https://example.org/terms",
    )


def test_parts_are_joined_in_order_without_importing_the_package(
    packaged: PackagedModel, tmp_path: Path
) -> None:
    join_parts(packaged, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == b"one two"


def test_weights_with_another_checksum_are_refused(packaged: PackagedModel, tmp_path: Path) -> None:
    Path(part_paths(packaged)[1]).write_bytes(b"2")
    with pytest.raises(BadInput, match="reinstall weights-of-a-test"):
        join_parts(packaged, tmp_path / "model.gguf")


def test_a_package_that_is_not_installed_is_named_with_what_to_install() -> None:
    missing = PackagedModel(
        "x", (("no_such_weights_package", "file.gguf"),), "0", "no-such-weights-package==1"
    )
    with pytest.raises(BadInput, match="install no-such-weights-package==1"):
        part_paths(missing)


def test_a_conversion_that_fails_leaves_nothing_behind(
    packaged: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_a_conversion(gguf_file: Path, chat_template: Path | None, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise OSError("disk full")

    monkeypatch.setattr(prepare_models, "convert", half_a_conversion)
    with pytest.raises(OSError, match="disk full"):
        prepare(packaged, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_that_is_there_is_left_alone_and_terms_are_named_before_use(
    packaged: PackagedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []

    def conversion(gguf_file: Path, chat_template: Path | None, folder: Path) -> None:
        told.append(capsys.readouterr().out)
        folder.mkdir()

    monkeypatch.setattr(prepare_models, "convert", conversion)
    assert prepare(packaged, tmp_path).is_dir()
    assert "https://example.org/terms" in told[0]
    prepare(packaged, tmp_path)
    assert len(told) == 1
    assert "is there already" in capsys.readouterr().out


def test_the_gemma_weights_are_tied_to_their_terms_of_use() -> None:
    assert MODELS["gemma"].terms == "https://ai.google.dev/gemma/terms"
    assert MODELS["smollm2"].terms is None


def render(messages: list[dict[str, str]], generate: bool) -> str:
    assert MODELS["gemma"].chat_template is not None
    source = MODELS["gemma"].chat_template.read_text(encoding="utf-8")
    template: Any = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(source)
    return template.render(
        messages=messages, bos_token="<bos>", eos_token="<eos>", add_generation_prompt=generate
    )


def test_the_base_models_template_starts_with_the_only_bos_and_ends_where_the_answer_begins() -> None:
    text = render([{"role": "user", "content": " How many? "}], generate=True)
    assert text.startswith("<bos>")
    assert text.count("<bos>") == 1
    assert text.endswith("\n\nQuestion: How many?\nAnswer:")
    assert "#### 19\n\n" in text


def test_the_base_models_template_closes_an_answer_with_its_end_token() -> None:
    turns = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Two."}]
    asked = render(turns[:1], generate=True)
    assert render(turns, generate=False) == asked + " Two.<eos>\n\n"
