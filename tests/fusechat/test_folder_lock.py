"""One run at a time in an output folder."""

import os

import pytest

from fusechat.errors import BadInput
from fusechat.folder_lock import lock_folder


def test_the_second_run_is_refused_until_the_first_ends(tmp_path):
    folder = tmp_path / "new" / "folder"
    lock = lock_folder(folder, doing="training")
    with pytest.raises(BadInput, match="another run is training here; wait for it"):
        lock_folder(folder, doing="training")
    lock.close()
    lock_folder(folder, doing="training").close()
    assert os.listdir(folder) == [".lock"]


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file/x: cannot be written"):
        lock_folder(tmp_path / "file" / "x", doing="training")
