"""A small model as others write them: without this package, as a class and as a script."""

import argparse
import os
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd


class Nearest:
    """The mean effect of the k training perturbations whose target genes are nearest over components of control cells."""

    def __init__(self, k=1):
        self.k = k

    def fit(self, adata, seed=0):
        self.learn(
            adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X,
            adata.obs["perturbation"].astype(str).to_numpy(),
            adata.var_names.to_numpy(str),
            seed,
        )

    def learn(self, x, labels, genes, seed):
        x = np.asarray(x, dtype=np.float64)
        self.genes, control = genes, x[labels == "non-targeting"]
        self.control = control.mean(axis=0)
        names = sorted(set(labels) - {"non-targeting"})
        self.effects = {name: x[labels == name].mean(axis=0) - self.control for name in names}
        centered = control - self.control + np.random.default_rng(seed).normal(0, 1e-3, control.shape)
        self.embedding = np.linalg.svd(centered, full_matrices=False)[2][:5].T

    def predict(self, perturbations):
        place = {gene: i for i, gene in enumerate(self.genes)}
        known = [name for name in self.effects if name in place]
        rows = {}
        for name in perturbations:
            if name not in place:
                continue
            at = self.embedding[place[name]]
            others = [other for other in known if other != name]
            distance = [np.linalg.norm(self.embedding[place[other]] - at) for other in others]
            nearest = [others[i] for i in np.argsort(distance, kind="stable")[: self.k]]
            rows[name] = self.control + np.mean([self.effects[other] for other in nearest], axis=0)
        return pd.DataFrame(rows, index=self.genes).T


def column(group):
    if isinstance(group, h5py.Dataset):
        return group.asstr()[:]
    return group["categories"].asstr()[:][group["codes"][:]]


def read(path):
    """What anndata would read, in a tenth of the time."""
    with h5py.File(path) as file:
        labels, genes = column(file["obs"]["perturbation"]), file["var"][file["var"].attrs["_index"]].asstr()[:]
        if isinstance(file["X"], h5py.Dataset):
            return file["X"][:], labels, genes
        x = np.zeros(file["X"].attrs["shape"])
        indptr, indices, data = (file["X"][key][:] for key in ("indptr", "indices", "data"))
        x[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), indices] = data
        return x, labels, genes


def main():
    parser = argparse.ArgumentParser()
    for name in ("cells", "predict", "out", "seed", "regime"):
        parser.add_argument(f"--{name}")
    args = parser.parse_args()
    sys.stdout.write("training\n")
    with Path("trainings.txt").open("a") as file:
        file.write(f"{args.regime} {args.seed}\n")
    spoil = Path("spoil.txt")
    how = dict(line.split() for line in spoil.read_text().splitlines()).get(args.regime) if spoil.exists() else None
    if how == "fail":
        sys.exit("no such thing as a free lunch")
    if how == "hang":
        time.sleep(60)
    x, labels, genes = read(args.cells)
    model = Nearest()
    model.learn(x, labels, genes, int(args.seed))
    table = model.predict(pd.read_csv(args.predict)["perturbation"])
    if how == "shuffle":
        table.columns = table.columns[::-1]
    if how == "genes":
        table = table.iloc[:, 5:]
    if how == "half":
        Path(args.out).write_text(table.to_csv()[:2000])
        os.kill(os.getpid(), 9)
    if how == "nothing":
        return
    table.to_csv(args.out)


if __name__ == "__main__":
    main()
