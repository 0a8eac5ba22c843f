"""Progress in a log file is plain lines with a rate and an ETA."""

import time

from fusechat import progress


def test_a_log_file_gets_plain_lines_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.05)
    with progress.Progress(10, unit="answers", description="score", initial=4) as bar:
        bar.update(1, cut=0.25)
        time.sleep(0.06)
        bar.update(1)
        time.sleep(0.06)
        bar.update(4)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert (
        lines[0].startswith("score: 6/10 answers, ") and ", ETA 0:00:0" in lines[0] and "cut 0.25" in lines[0]
    )
    assert lines[-1].startswith("score: 10/10 answers") and "ETA" not in lines[-1]


def test_the_rate_does_not_count_what_an_earlier_run_did():
    bar = progress.Progress(100, unit="answers", description="score", initial=90)
    time.sleep(0.1)
    bar.update(1)
    assert 0 < bar.rate < 11
