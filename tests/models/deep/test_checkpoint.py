import json

import pytest

from scpertbias._models.deep.checkpoint import Folder, open_folder

pytestmark = pytest.mark.gears
IDENTITY = {"genes": "a" * 64, "split": "b" * 64, "settings": {"hidden_size": 4}}


def save(path, epoch=1, identity=IDENTITY, **plain):
    import torch

    folder = Folder(path, identity, resume=True)
    folder.save(epoch, {"weights": {"w": torch.arange(3.0)}}, {"epoch": epoch, **plain})
    return folder


def test_round_trip(tmp_path):
    import torch

    save(tmp_path / "made" / "here", 1)
    folder = save(tmp_path / "made" / "here", 2, note="x")
    assert [p.name for p in folder.path.iterdir()] == ["epoch_0002"]
    tensors, plain = Folder(folder.path, IDENTITY, resume=True).load()
    assert torch.equal(tensors["weights"]["w"], torch.arange(3.0))
    assert (plain["epoch"], plain["note"]) == (2, "x")
    assert json.loads((folder.last() / "state.json").read_text())["identity"] == IDENTITY


def test_nothing_there_yet(tmp_path):
    assert Folder(tmp_path / "new", IDENTITY, resume=True).load() is None
    assert not (tmp_path / "new").exists()


def test_an_interrupted_write_is_no_checkpoint(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "writing").mkdir()
    (tmp_path / "writing" / "state.pt").write_bytes(b"half")
    assert Folder(tmp_path, IDENTITY, resume=True).load()[1]["epoch"] == 1
    save(tmp_path, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["epoch_0002"]


@pytest.mark.parametrize("key", ["genes", "split", "settings"])
def test_other_data_are_refused(tmp_path, key):
    save(tmp_path)
    with pytest.raises(ValueError, match=f"made with other values of {key} "):
        Folder(tmp_path, {**IDENTITY, key: "other"}, resume=True)


def test_a_checkpoint_is_not_overwritten_unasked(tmp_path):
    save(tmp_path, 3)
    with pytest.raises(ValueError, match="epoch 3. Pass resume=True"):
        Folder(tmp_path, IDENTITY, resume=False)


def test_wrong_places(tmp_path):
    assert open_folder(None, IDENTITY, resume=False) is None
    with pytest.raises(ValueError, match="needs `checkpoint_dir`"):
        open_folder(None, IDENTITY, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        open_folder(tmp_path / "file", IDENTITY, resume=False)


@pytest.mark.parametrize("name", ["state.pt", "state.json"])
def test_a_damaged_file(tmp_path, name):
    folder = save(tmp_path)
    path = folder.last() / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="cannot be read. Delete it"):
        Folder(tmp_path, IDENTITY, resume=True).load()


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    import torch

    folder = save(tmp_path)
    torch.save({"weights": print}, folder.last() / "state.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        Folder(tmp_path, IDENTITY, resume=True).load()
