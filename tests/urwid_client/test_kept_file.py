from __future__ import annotations

from pathlib import Path

import pytest

from urwid_client.kept_file import FileUnusable, KeptFile


def kept(path: Path) -> KeptFile:
    return KeptFile(path, lambda content: "bad" not in content, damaged="mend it", lost="nothing is kept", error=FileUnusable)  # type: ignore[operator]


def test_what_is_changed_is_there_afterwards(tmp_path: Path) -> None:
    file = kept(tmp_path / "new" / "file.json")
    assert file.read() == {}
    file.change(lambda content: bool(content.update(a=1)) or True)
    assert kept(tmp_path / "new" / "file.json").read() == {"a": 1}
    assert (tmp_path / "new" / "file.json").stat().st_mode & 0o077 == 0


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    file = kept(tmp_path / "file.json")
    file.change(lambda content: False)
    assert not (tmp_path / "file.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"bad": 1}'])
def test_what_is_damaged_is_never_written_to(tmp_path: Path, content: str) -> None:
    (tmp_path / "file.json").write_text(content)
    file = kept(tmp_path / "file.json")
    with pytest.raises(FileUnusable, match="is damaged: mend it"):
        file.read()
    with pytest.raises(FileUnusable, match="is damaged: mend it"):
        file.change(lambda content: True)
    assert (tmp_path / "file.json").read_text() == content


def test_what_goes_wrong_is_told_with_what_it_costs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnusable, match="nothing is kept"):
        kept(tmp_path / "file" / "file.json").change(lambda content: True)
