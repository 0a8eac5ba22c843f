"""Tracking goes offline where nobody is logged in, and never fails or blocks a run."""

import os
import time

import pytest

from fusechat import tracking


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_the_mode_follows_the_login(monkeypatch, tmp_path):
    assert tracking.wandb_mode() == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    assert tracking.wandb_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert tracking.wandb_mode() == "disabled"


@pytest.mark.slow
def test_a_real_offline_run_writes_its_files(tmp_path):
    tracker = tracking.start_tracking("wandb", step="test", name="t", config={"a": 1}, directory=tmp_path)
    tracker.log({"loss": 1.0, "skipped": None}, step=1)
    tracker.table("rows", ["a", "b"], [[1, "x"]])
    tracker.finish()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_a_wandb_that_cannot_start_is_told_and_passed_over(monkeypatch, capsys, tmp_path):
    import wandb

    def broken(**settings):
        raise ConnectionError("no route")

    monkeypatch.setattr(wandb, "init", broken)
    tracker = tracking.start_tracking("wandb", step="test", name=None, config={}, directory=tmp_path)
    tracker.log({"loss": 1.0})
    tracker.finish()
    assert (
        "W&B could not start (ConnectionError: no route); the run goes on without it"
        in capsys.readouterr().err
    )


def test_a_fault_while_logging_is_told_once(capsys):
    class Broken:
        def log(self, *arguments, **named):
            raise BrokenPipeError("gone")

    tracker = tracking.WandbTracker(Broken())
    tracker.log({"loss": 1.0})
    tracker.log({"loss": 2.0})
    assert capsys.readouterr().err.count("W&B logging stopped") == 1


def test_a_finish_that_hangs_does_not_hold_the_run(monkeypatch, capsys):
    class Hanging:
        def finish(self):
            time.sleep(30)

    monkeypatch.setattr(tracking, "FINISH_TIMEOUT_S", 0.2)
    start = time.monotonic()
    tracking.WandbTracker(Hanging()).finish()
    assert time.monotonic() - start < 5
    assert "did not finish within" in capsys.readouterr().err


def test_report_to_none_needs_no_wandb(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    tracker = tracking.start_tracking("none", step="test", name=None, config={}, directory=tmp_path)
    tracker.log({"x": 1})
    tracker.table("t", [], [])
    tracker.image("i", tmp_path)
    tracker.finish()


def test_without_a_home_wandb_keeps_its_files_beside_the_run(tmp_path, monkeypatch):
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    tracking.start_tracking("wandb", step="s", name=None, config={}, directory=tmp_path / "run").finish()
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "run" / "wandb" / "cache")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert not (tmp_path / "nowhere").exists()
