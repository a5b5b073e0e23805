"""Files that are cut short, of another kind or made to harm: one error that names the file, and nothing is run."""

import ast
import gzip
import io
import json
import os
import pickle
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat
from scpertbias._cli.inputs import read_audit, read_cells, read_net, read_predictions
from scpertbias.tl._audit.jobs import Cache

SRC = Path(spb.__file__).parent


class Trap:
    """What unpickling would run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.fixture(scope="module")
def screen():
    adata = spb.ds.simulate(300, 20, 3, rng=1, keep_counts=False)
    spb.pp.split(adata)
    return adata


@pytest.fixture(scope="module")
def profiles(screen):
    return spb.pp.profiles(screen)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, screen, profiles):
    """A good file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    predictions = profiles.to_df().set_axis(profiles.obs["perturbation"].astype(str), axis=0).iloc[1:]
    screen.write_h5ad(folder / "cells.h5ad")
    profiles.write_h5ad(folder / "profiles.h5ad")
    predictions.to_csv(folder / "predictions.csv")
    predictions.to_csv(folder / "predictions.tsv.gz", sep="\t")
    spb.pp.coexpression_net(screen, threshold=0).to_csv(folder / "net.csv", index=False)
    (folder / "sets.gmt").write_text("one set\tfrom\t" + "\t".join(profiles.var_names[:9]) + "\n", encoding="utf-8")
    (folder / "sets.gmt.gz").write_bytes(gzip.compress((folder / "sets.gmt").read_bytes()))
    mdata = spb.tl.audit(screen, models=("mean",), regimes=("full",), n_random=0, covariates=())
    _compat.write_h5mu(mdata, str(folder / "audit.h5mu"))
    return folder


@pytest.fixture(scope="module")
def readers(profiles):
    def bring(path):
        return spb.tl.add_predictions(profiles, path, key_added="x", copy=True)

    def enrich(path):
        made = spb.tl.fit_ridge(profiles, copy=True)
        return spb.tl.enrich(made, path, tmin=1, k=5)

    return {
        "cells.h5ad": [read_cells, read_predictions],
        "profiles.h5ad": [bring],
        "predictions.csv": [bring, read_predictions],
        "predictions.tsv.gz": [bring],
        "net.csv": [read_net],
        "sets.gmt": [enrich],
        "sets.gmt.gz": [enrich],
        "audit.h5mu": [read_audit],
    }


KINDS = [
    *("cells.h5ad", "profiles.h5ad", "predictions.csv", "predictions.tsv.gz"),
    *("net.csv", "sets.gmt", "sets.gmt.gz", "audit.h5mu"),
]


def refused_or_read(read, path: Path, *, refused: bool) -> None:
    """Read a file: what cannot be is refused in one line that names it."""
    error = None
    try:
        read(path)
    except (ValueError, KeyError, FileNotFoundError) as caught:
        error = caught
    if error is None:
        assert not refused, f"{path.name} was read"
        return
    said = str(error.args[0])
    assert path.name in said or "`predictions`" in said or "`sets`" in said, said
    assert "\n" not in said
    assert type(error) in (ValueError, KeyError, FileNotFoundError), said


@pytest.mark.parametrize("kind", KINDS)
def test_good_files_are_read(kind, whole, readers):
    for read in readers[kind]:
        read(whole / kind)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_cut_short(kind, whole, readers, tmp_path):
    """Wherever it is cut; text that ends early may still be a table, but never a larger one."""
    content = (whole / kind).read_bytes()
    binary = kind.endswith((".h5ad", ".h5mu", ".gz"))
    for share in (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999):
        path = tmp_path / kind
        path.write_bytes(content[: int(share * len(content))])
        for read in readers[kind]:
            refused_or_read(read, path, refused=binary or share == 0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged(kind, whole, readers, tmp_path):
    """Bytes anywhere are others: an error, or what can still be read; never a crash in the depths."""
    content = np.frombuffer((whole / kind).read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(12):
        broken = content.copy()
        at = rng.integers(len(broken), size=max(1, len(broken) // 2000))
        broken[at] = rng.integers(256, size=len(at))
        path = tmp_path / kind
        path.write_bytes(broken.tobytes())
        for read in readers[kind]:
            refused_or_read(read, path, refused=False)


def foreign(tmp_path: Path) -> dict[str, bytes]:
    """Content of other kinds."""
    table = io.BytesIO()
    with h5py.File(table, "w") as file:
        file["numbers"] = np.arange(5)
    return {
        "empty": b"",
        "text": b"this is no data\n",
        "markup": b"<html><body>404 Not Found</body></html>",
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "zip": b"PK\x03\x04" + bytes(40),
        "hdf5": table.getvalue(),
        "pickle": pickle.dumps(Trap(tmp_path / "was run")),
        "zeros": bytes(5000),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_of_another_kind(kind, readers, tmp_path):
    for content in foreign(tmp_path).values():
        path = tmp_path / kind
        path.write_bytes(content)
        for read in readers[kind]:
            refused_or_read(read, path, refused=read not in (read_net, read_predictions) or kind.endswith("h5ad"))
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_and_nothing(kind, readers, tmp_path):
    for read in readers[kind]:
        refused_or_read(read, tmp_path / kind, refused=True)
        (tmp_path / kind).mkdir(exist_ok=True)
        refused_or_read(read, tmp_path / kind, refused=True)
        (tmp_path / kind).rmdir()


@pytest.mark.parametrize("how", ["link", "storage", "virtual"])
def test_values_that_lie_in_another_file(how, whole, readers, tmp_path):
    """Such a file would have any file that it names read, and shown in the report."""
    secret = tmp_path / "secret"
    with h5py.File(secret, "w") as file:
        file["values"] = np.arange(300.0)
    for kind in ("cells.h5ad", "profiles.h5ad", "audit.h5mu"):
        path = tmp_path / kind
        path.write_bytes((whole / kind).read_bytes())
        with h5py.File(path, "a") as file:
            at = file["obs"] if "obs" in file else file["mod/full/obs"]
            if how == "link":
                at["depth"] = h5py.ExternalLink(str(secret), "values")
            elif how == "storage":
                at.create_dataset("depth", (300,), "u1", external=[(str(secret), 0, 300)])
            else:
                layout = h5py.VirtualLayout((300,), "f8")
                layout[:] = h5py.VirtualSource(str(secret), "values", (300,))
                at.create_virtual_dataset("depth", layout)
        for read in readers[kind]:
            with pytest.raises(ValueError, match=rf"{kind} cannot be read.*/obs/depth' is stored in another file"):
                read(path)


# --- a part of an audit that is kept ---


def test_a_damaged_part_counts_as_not_there(tmp_path):
    cache, arrays = Cache(tmp_path / "cache"), {"a": np.arange(1000.0), "b": np.array(["x", "y"])}
    cache.write("k", arrays)
    path = next((tmp_path / "cache").iterdir())
    content = path.read_bytes()
    np.testing.assert_array_equal(cache.read("k")["a"], arrays["a"])
    rng = np.random.default_rng(0)
    for n in range(0, len(content), 97):
        path.write_bytes(content[:n])
        assert cache.read("k") is None
    for _ in range(300):
        broken = bytearray(content)
        broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(broken))
        found = cache.read("k")
        assert found is None or all(np.array_equal(found[name], arrays[name]) for name in arrays)
    np.savez(path, a=np.array([Trap(tmp_path / "was run")], dtype=object))
    assert cache.read("k") is None
    assert not (tmp_path / "was run").exists()


# --- names that would lead elsewhere ---


@pytest.mark.parametrize("name", ["../up", "a/b", "/etc/x", "..", ".", ""])
def test_no_name_leads_elsewhere(name, profiles, screen):
    with pytest.raises(ValueError, match="`key_added` is"):
        spb.tl.add_predictions(profiles, profiles.to_df(), key_added=name)
    with pytest.raises(ValueError, match="`key_added` is"):
        spb.tl.audit(screen, models=("mean",), predictions={name: profiles.to_df()})


# --- what the package never does ---

UNSAFE = re.compile(
    r"pickle\.(loads?|Unpickler)|joblib\.load|(pd|pandas)\.read_pickle|allow_pickle\s*=\s*True|weights_only\s*=\s*False"
    r"|(?<![\w.])(eval|exec|compile)\(|os\.system|shell\s*=\s*True|yaml\.load\("
)


def test_nothing_is_unpickled_or_evaluated():
    hits = [
        f"{path.relative_to(SRC)}: {match.group(0)}"
        for path in SRC.rglob("*.py")
        for match in UNSAFE.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not hits


def test_tensors_are_read_as_weights_only():
    found = 0
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                found += 1
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("weights_only") == "True", f"{path}:{node.lineno}"
    assert found


def test_tables_as_text_are_not_formulas(whole, profiles, tmp_path):
    """A label that a spreadsheet would run is read and written as text."""
    table = pd.read_csv(whole / "predictions.csv", index_col=0)
    table.index = ["=cmd|' /C calc'!A0", *table.index[1:]]
    table.to_csv(tmp_path / "p.csv")
    with pytest.warns(UserWarning, match="1 labels were left out, because they are not in the data"):
        spb.tl.add_predictions(profiles.copy(), tmp_path / "p.csv", key_added="x")


# --- checkpoints of models with weights ---


def mutants(content: bytes, n: int, seed: int = 0):
    """The content cut short, and with other bytes."""
    rng = np.random.default_rng(seed)
    for share in (0.0, 0.01, 0.3, 0.6, 0.9, 0.99):
        yield content[: int(share * len(content))]
    for i in range(n):
        broken = bytearray(content)
        for at in rng.integers(len(broken), size=1 + i % 4):
            broken[at] = int(rng.integers(256))
        yield bytes(broken)


@pytest.mark.gears
@pytest.mark.parametrize("name", ["state.pt", "state.json"])
def test_damaged_checkpoints_of_training(name, tmp_path):
    import torch

    from scpertbias._models.deep.checkpoint import Folder

    identity = {"genes": "a" * 64, "settings": {"hidden_size": 4}}
    folder = Folder(tmp_path / "kept", identity, resume=False)
    folder.save(3, {"weights": {"w": torch.arange(30.0), "b": torch.ones(3, 3)}}, {"epoch": 3, "history": [1.0, 2.0]})
    path = folder.last() / name
    content = path.read_bytes()
    refused = 0
    for broken in [*mutants(content, 60), pickle.dumps(Trap(tmp_path / "was run")), b"[]", b"null", b'{"epoch": 1}']:
        path.write_bytes(broken)
        said = ""
        try:
            Folder(tmp_path / "kept", identity, resume=True).load()
        except ValueError as caught:
            said = str(caught)
        refused += bool(said)
        assert not said or "cannot be read. Delete it" in said or "was made with other values of" in said
    assert refused > 10
    assert not (tmp_path / "was run").exists()


@pytest.mark.scgpt
@pytest.mark.parametrize("name", ["best_model.pt", "args.json", "vocab.json"])
def test_damaged_checkpoints_of_scgpt(name, tmp_path):
    import torch

    from scpertbias._models.deep.scgpt.pretrained import read

    folder = tmp_path / "scGPT_human"
    folder.mkdir()
    torch.save({"encoder.embedding.weight": torch.ones(3, 4)}, folder / "best_model.pt")
    (folder / "args.json").write_text(json.dumps({"embsize": 4, "nheads": 2, "d_hid": 4, "nlayers": 1}))
    (folder / "vocab.json").write_text(json.dumps({"<pad>": 0, "<cls>": 1, "STAT1": 2}))
    assert read(folder).sizes.d_model == 4
    content = (folder / name).read_bytes()
    hostile = [
        pickle.dumps(Trap(tmp_path / "was run")),
        b"",
        b"[]",
        b"null",
        b'{"<pad>": "0"}',
        b'{"<pad>": [0]}',
        b"{}",
    ]
    hostile += [b'{"embsize": true, "nheads": 2, "d_hid": 4, "nlayers": 1}', b'{"embsize": 1e999}', b"[" * 100_000]
    refused = 0
    for broken in [*mutants(content, 60), *hostile]:
        (folder / name).write_bytes(broken)
        said = ""
        try:
            read(folder)
        except ValueError as caught:
            said = str(caught)
        refused += bool(said)
        assert not said or (name in said and "\n" not in said)
    assert refused > 10
    assert not (tmp_path / "was run").exists()
