"""Plain-numpy reference ("oracle") of the estimators of METRICS.md, version 2, written from its text alone.

Slow and readable on purpose: loops over perturbations, dense float64, no cleverness.  Whatever METRICS leaves to a hash
or a generator (halves, control blocks, null draws, normal draws, permutations, folds) is an argument.

Conventions
-----------
* ``Moments`` holds usable perturbations only (not `too few cells`); index p = row of ``moments.names``.
* halves a, b are 0 and 1; arrays "by half" have the half first: ``h[a, p, g]``, ``c_half[a, b, g]``.
* "rows" of §1 Forms are the P perturbations followed by the S control strata.
* Intervals are dicts or tuples ``(low, high)``; NaN stands for "not given".

AMBIGUITIES (section; sentence; reading chosen)
-----------------------------------------------
A01  §1; "Halves ... dealt alternately": anew in each (group, stratum), or going on?  Halves are an argument;
     ``deal_halves`` starts anew (first cell to half 0), so a stratum of one cell always goes to half 0.
A02  §1; "Cells of strata with under MIN_CONTROLS controls are left out": also where there is one stratum (no strata)?
     Yes, literally; then nothing is left and ``compute_moments`` raises.
A03  §1; "n_p < 2 or an empty half: too few cells, in no sum": also in no pooled s²_g (a sum).  Read so.
A04  §1; "sqrt(t_0)" of the noise vectors of blocks: t_0 is defined only per stratum.  Read as within-stratum pooled,
     sum_b (n_0b-1) t_0b / sum_b (n_0b-1).
A05  §1; noise vectors where t_p <= 0 (unclipped sums can be negative): undefined; no vector for that perturbation.
A06  §1; "a3+": positive part; without effect, because gamma is cut to [0.001, sqrt 8] anyway.
A07  §1; "delete-one SE": jackknife about its own mean (§7), (Q-1)/Q * sum.
A08  §1 Forms; "mean_nu(g_j.nu)^2": over all noise vectors, or without that of row j ("r != p leaves out the vector
     of p by name" is said of r != p only)?  All vectors.  a2 there: plain (errors are not in the list of raised uses);
     but the floor is "the pure noise", which is SE_0^2, which is raised.  Read: plain in the subtraction, raised in the
     floor.
A09  §1 Regressed covariates; "slope x mean of the covariate": the covariate is not centered first, literally; c then
     moves by slope x mean, effects do not.  The degrees of freedom are not reduced.
A10  §1/§2; a2 when the targets of p are left out (§2), or when only the scored genes count (§3 room): the a2 of all
     genes; the text removes targets from "D^2, N, t_p, tau_b and z" only.
A11  §2; p_S where no gene has a z: 1 (so p = min(1, 2 p_E)).
A12  §2; "of several that of least |z|": of those that have a z.  NaN if none has.
A13  §2 Kind; "own_p/E_p of §4": E_p with the targets (the exception is "not of E_p"); own_p as in §4, even where the
     share of the screen is NaN.  E_p <= 0 cannot happen with z_E >= SURE but for the targets; then not shared.
A14  §2 Kind; "targets a confounder gene (by name, in a set of §4)": which sets is the caller's; a boolean per p.
A15  §3; R = sum(l2^2_model - f)/sum(l2^2_mean - f): one f (that of the model's kind) in both, or to each prediction its
     own?  f is defined by the w-hat of a prediction, so each its own: the baseline `mean` has that of predicted means
     (or of its own kind).  Simulated, delta of 0.6 of the truth, 12 controls in 2 strata: true skill 0.78, own f 0.79,
     one f 0.68.  Both are arguments of ``l2_skill``.
A16  §3/§7; intervals of l2_skill, pearson skill, specific skill, slope, fitted, variance_ratio: §1 Forms says
     "populations -> jackknife over their units + Var_0", §3, §6, §7 say only the jackknife.  Read: jackknife alone;
     ``extra_variance`` lets Var_0 be added.
A17  §3; "t of the mean over perturbations (`log` for l2_ratio)": mean of the ratios with the interval `log` of §7
     (not the geometric mean); df n - 1 ("means: n-1").
A18  §3; variance_ratio: sum over genes and held-out of squared deviations over trace(HKH), K of the held-out rows;
     both sides with the same P-1; the jackknife recomputes H.  Root of a negative lower bound: 0.
A19  §3 discrimination; "logit-t": m +/- t se/(m(1-m)) on the logit scale; "mean" in "upper bound 1 where mean > 1-1/n"
     and "widened to hold the mean" is the plain mean of the d_p; m only centers the interval.
A20  §3; 20 genes of mse_de20: of the scored (n_top) genes that have a z.
A21  §3; n_effective of pearson skill: of r_ceiling - r_baseline; of slope |X|^2; of fitted |Y|^2 - f_off.
A22  §4; "Per perturbation: U-energy share": "U" is diag(1_S - R) three lines above, which cannot be meant; read as
     the unbiased energy of S over E_p.
A23  §4; `null` = mean of the null shares; p = (1 + #{null >= share})/(1 + B) (§11); mismatch is the mean over genes
     and draws of |d log(c + 0.001)|.
A24  §4 Null; "with replacement": a gene drawn twice counts twice.  Ties in distance: lower gene index first.
A25  §4 beyond; typical_low is NaN under MIN_UNITS perturbations: then not beyond.
A26  §4 shared axis, gradient: terms of perturbations whose own is set to 0 are 0 (own is held at 0).
A27  §4 shared axis; Var below 0 is cut to 0; normal quantile ("this screen").
A28  §4 T: interval NaN under MIN_UNITS (§7) though "NaN for P < 3" suggests it exists from 3 on.  The estimate and
     SE exist from P = 3, the interval from MIN_UNITS.
A29  §4 "Genes named: largest mean effect of the carriers": absolute value of the unweighted mean of Delta.
A30  §5; observed p per half: tops of each half are those of z of D^a with n^a, w^a, n^a_0b in the denominators; the
     bins are 20 equal-count bins of the rank of c over all genes, genes without z included.
A31  §5; centered: v = (Delta_p - mean Delta)/denominator of z_pg; in halves D^a - mean D^a.
A32  §6; v and the spans are not found anew in the jackknife.  "predicted effects" = x-hat - c, not x-hat - m.
A33  §6; part of the noise on the span: sum over an orthonormal basis e of sum_g e_g^2 f_g (gene correlation ignored).
A34  §7 `logit`: on the logit R -> logit(R) +/- q SE/(R(1-R)).
A35  §11 control_noise with strata: sum_b w_0b^2 tau_b (s_0^2/n_0 without strata).
A36  §11 discrimination: "of the same split": the candidates q are an argument (with folds: the test block).
A37  §11 percentile: (mid-rank - 1/2)/n over genes with a z.
A38  METRICS-scores §1 phi: over the noise vectors cut to the scored genes, as centering is over those.
A39  §1 "Halves" D^1 . D^2 of the shared axis use w^a_pb c^a_b; a stratum in which a half of p has cells has controls
     in both halves only if the deal gives them; otherwise NaN (not handled).
A40  §4 typical: df P-1 although §7 says n_effective-1 for jackknives ("typical: P-1" is the exception).
A41  §5 `by="delta"`: whether it has q is not said (`z` has it on a condition, `centered` always); it has q here.
A42  §11 attribution: overlap@K is of the K largest signed values, and the tail of p is the upper one; neither is said.
A43  §11 `constant` of ``attribution_check``: every perturbation's attributions are all equal, and not zero.
A44  §1; K of the noise vectors and blocks under restriction of perturbations: those of the whole screen.
A45  §4 this screen: 4 (q_p - kappa_p tau_U)+/n_p has kappa_p (with the control) inside and 1/n_p outside, as the
     linear control noise is in Var_0; literal.  The cross terms of the quadratic control noise are in neither.
A46  §3 ceilings of pearson scores: "t, tau, A over the scored genes, not centred" gives a truth above its ceiling where
     effects have a shift of all genes in common.  Against the text: A centered, t, tau and t_r times phi of
     METRICS-scores §1.  The off-axis correlation likewise.
A47  §3 ceilings of pearson scores: with e in the place of (A - ...)+ + t_r, and 0 where the numerator is below 0; where
     noise is as large as effects, the root of an estimate is too low on average (3 to 5 %).  Against the text: times
     1 - Var(e) (f_ee/2 + f_eA)/f, Var(e) = 2 a2 N (N + 2 e), numerator and square taken at 1.5 SE at least; a2 is that
     of the noise as the correlation sees it: centered, over the scored genes.

NOT COVERED: §8 (columns), §9 (words, but for those of §6), §10 (models), DE scores, probes, calibration, power, the
jackknife over units of contexts, off-axis correlation with its ceiling (no formula), per-gene variance_ratio (its SE is
not defined).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from scipy import stats

N_BLOCKS, MIN_CONTROLS, MIN_DETECTING, FDR, SURE, EXISTS, SHAPE_SE = 20, 10, 10, 0.05, 3.0, 2.0, 1.0
N_NEAREST, MISMATCH, MIN_SET, HALF, CARRY, MUCH, PART = 20, 0.5, 5, 0.5, 0.8, 0.25, 0.1
N0_PER_N, SPECIFIC, MIN_UNITS, FEW, MANY = 5.0, 0.05, 10, 20, 50
CONFIDENCE = 0.95


# ----------------------------------------------------------------------------------------------------------------------
# §1 moments
# ----------------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Moments:
    """What §1 keeps of the cells (usable perturbations only); see ``compute_moments``."""

    names: np.ndarray  # (P,)
    strata: np.ndarray  # (S,)
    n: np.ndarray  # (P,) cells
    n_half: np.ndarray  # (2, P)
    n_pb: np.ndarray  # (P, S)
    n_pb_half: np.ndarray  # (2, P, S)
    raw_mean: np.ndarray  # (P, G)
    raw_variance: np.ndarray  # (P, G)
    h: np.ndarray  # (2, P, G) half means
    n_0b: np.ndarray  # (S,)
    c_b: np.ndarray  # (S, G)
    s2_0b: np.ndarray  # (S, G)
    n_0b_half: np.ndarray  # (2, S)
    c_b_half: np.ndarray  # (2, S, G)
    block_mean: np.ndarray  # (K, G) beta_k
    block_n: np.ndarray  # (K,)
    block_nb: np.ndarray  # (K, S)
    s2: np.ndarray  # (P, G) within strata
    s2_pooled: np.ndarray  # (G,)
    m_p: np.ndarray  # (P, G) effective number of cells that carry the gene
    m_0: np.ndarray  # (G,)
    any_negative: bool
    too_few: np.ndarray  # names of perturbations with too few cells
    small_strata: np.ndarray  # names of strata left out

    @property
    def w(self):
        """w_pb = n_pb/n_p, (P, S)."""
        return self.n_pb / self.n[:, None]

    @property
    def w_half(self):
        """w^a_pb = n^a_pb/n^a_p, (2, P, S)."""
        return self.n_pb_half / self.n_half[:, :, None]

    @property
    def w_0(self):
        """w_0b = n_0b/n_0, (S,)."""
        return self.n_0b / self.n_0b.sum()

    @property
    def c(self):
        """Control mean c = sum_b w_0b c_b, (G,)."""
        return self.w_0 @ self.c_b

    @property
    def t(self):
        """t_p = sum_g s2_pg, not clipped, (P,)."""
        return self.s2.sum(axis=1)

    @property
    def t_0b(self):
        """t_0b = sum_g s2_0bg, (S,)."""
        return self.s2_0b.sum(axis=1)

    @property
    def tau(self):
        """tau_b = t_0b/n_0b, (S,)."""
        return self.t_0b / self.n_0b

    @property
    def effect(self):
        """Delta_p = xbar_p - sum_b w_pb c_b, (P, G)."""
        return self.raw_mean - self.w @ self.c_b

    @property
    def mean_star(self):
        """xbar*_p = c + Delta_p, (P, G)."""
        return self.c + self.effect

    @property
    def effect_half(self):
        """D^a_p = h^a_p - sum_b w^a_pb c^a_b, (2, P, G)."""
        return np.stack([self.h[a] - self.w_half[a] @ self.c_b_half[a] for a in range(2)])

    @property
    def v(self):
        """v_pg = s2_pg/n_p + sum_b w_pb^2 s2_0bg/n_0b, (P, G)."""
        return self.s2 / self.n[:, None] + self.w**2 @ (self.s2_0b / self.n_0b[:, None])

    @property
    def noise(self):
        """N_p = sum_g v_pg, (P,)."""
        return self.v.sum(axis=1)

    @property
    def block_half(self):
        """Half of each control block: the first K/2 in half 0, (K,)."""
        k = len(self.block_n)
        return (np.arange(k) >= k // 2).astype(int)


def deal_halves(group, batch, order):
    """§1 Halves: within (group, stratum) cells are ordered by the hash and dealt alternately (A01)."""
    half = np.zeros(len(group), dtype=int)
    for this_group in np.unique(group):
        for this_batch in np.unique(batch):
            cells = np.flatnonzero((group == this_group) & (batch == this_batch))
            cells = cells[np.argsort(order[cells], kind="stable")]
            half[cells] = np.arange(len(cells)) % 2
    return half


def deal_control_blocks(is_control, batch, half, order):
    """§1: K = 2 min(N_BLOCKS/2, floor(n_0/4)); controls of a half in order of (stratum, hash) dealt round robin."""
    n_0 = int(is_control.sum())
    per_half = min(N_BLOCKS // 2, n_0 // 4)
    block = np.full(len(is_control), -1)
    for a in range(2):
        cells = np.flatnonzero(is_control & (half == a))
        cells = cells[np.lexsort((order[cells], batch[cells]))]
        block[cells] = a * per_half + np.arange(len(cells)) % per_half
    return block


def residualize(x, labels, batch, covariates):
    """§1: slopes from sum (z - zbar_group,stratum) x; means less slope x mean of z; variances of residuals (A09).

    Parameters
    ----------
    covariates
        cells × q.

    Returns
    -------
    Residual values (cells × genes) and slopes (q × genes).
    """
    z = np.asarray(covariates, dtype=float)
    within = z.copy()
    for group in np.unique(labels):
        for stratum in np.unique(batch):
            cells = (labels == group) & (batch == stratum)
            if cells.any():
                within[cells] -= z[cells].mean(axis=0)
    slopes = np.linalg.solve(within.T @ within, within.T @ x)
    return x - z @ slopes, slopes


def compute_moments(x, labels, control, batch, half, block, x_unregressed=None):
    """§1: all moments, with own half of the control in each stratum.

    Parameters
    ----------
    x
        cells × genes, float64 (residuals where covariates are regressed).
    labels, batch
        Per cell; ``batch=None`` is one stratum.
    half
        0 or 1 per cell.
    block
        Control block per cell, 0 … K-1, the first K/2 in half 0; ignored for other cells.
    x_unregressed
        Values before covariates are regressed, for m_p and m_0 of §2.
    """
    x = np.asarray(x, dtype=float)
    raw = x if x_unregressed is None else np.asarray(x_unregressed, dtype=float)
    labels, half, block = np.asarray(labels), np.asarray(half), np.asarray(block)
    batch = np.zeros(len(labels), dtype=int) if batch is None else np.asarray(batch)

    # "Cells of strata with under MIN_CONTROLS controls are left out, and named."
    all_strata = np.unique(batch)
    n_controls = np.array([np.sum((labels == control) & (batch == b)) for b in all_strata])
    strata, small = all_strata[n_controls >= MIN_CONTROLS], all_strata[n_controls < MIN_CONTROLS]
    if len(strata) == 0:
        msg = "no stratum has enough controls"
        raise ValueError(msg)
    kept = np.isin(batch, strata)
    all_names = np.unique(labels[labels != control])
    x, raw, labels, half, block, batch = x[kept], raw[kept], labels[kept], half[kept], block[kept], batch[kept]

    is_control = labels == control
    n_0b, c_b, s2_0b, n_0b_half, c_b_half = [], [], [], [[], []], [[], []]
    for b in strata:
        cells = is_control & (batch == b)
        n_0b.append(cells.sum())
        c_b.append(x[cells].mean(axis=0))
        s2_0b.append(x[cells].var(axis=0, ddof=1))
        for a in range(2):
            n_0b_half[a].append((cells & (half == a)).sum())
            c_b_half[a].append(x[cells & (half == a)].mean(axis=0))
    n_0b, c_b, s2_0b = np.array(n_0b), np.array(c_b), np.array(s2_0b)
    n_0b_half, c_b_half = np.array(n_0b_half), np.array(c_b_half)

    # beta_k = mean of x - c^a_b over the cells of block k
    block_mean, block_n, block_nb = [], [], []
    for k in np.unique(block[is_control]):
        cells = np.flatnonzero(is_control & (block == k))
        deviations = [x[i] - c_b_half[half[i], np.flatnonzero(strata == batch[i])[0]] for i in cells]
        block_mean.append(np.mean(deviations, axis=0))
        block_n.append(len(cells))
        block_nb.append([np.sum(batch[cells] == b) for b in strata])

    names, too_few, rows = [], [], []
    for name in all_names:
        cells = labels == name
        sizes = [(cells & (half == a)).sum() for a in range(2)]
        if cells.sum() < 2 or min(sizes) == 0:
            too_few.append(name)
            continue
        names.append(name)
        n_p = cells.sum()
        n_pb = np.array([(cells & (batch == b)).sum() for b in strata])
        w_p = n_pb / n_p
        raw_variance = x[cells].var(axis=0, ddof=1)
        # s2 = raw - [sum_b n_pb (c_b - cbar_p)^2 - sum_b n_pb (1 - w_pb) s2_0b/n_0b]/(n_p - 1)
        between = n_pb @ (c_b - w_p @ c_b) ** 2 - (n_pb * (1 - w_p) / n_0b) @ s2_0b
        mean_0, var_0 = raw[cells].mean(axis=0), raw[cells].var(axis=0, ddof=1)
        square = mean_0**2 + var_0 * (n_p - 1) / n_p
        rows.append(
            {
                "n": n_p,
                "n_half": sizes,
                "n_pb": n_pb,
                "n_pb_half": [[(cells & (half == a) & (batch == b)).sum() for b in strata] for a in range(2)],
                "raw_mean": x[cells].mean(axis=0),
                "raw_variance": raw_variance,
                "h": [x[cells & (half == a)].mean(axis=0) for a in range(2)],
                "s2": raw_variance - between / (n_p - 1),
                "m_p": np.divide(n_p * mean_0**2, square, out=np.zeros_like(square), where=square > 0),
            }
        )
    stack = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    # pooled s2_g = [sum_p (n_p-1) s2_pg + sum_b (n_0b-1) s2_0bg]/[sum_p (n_p-1) + sum_b (n_0b-1)]
    n = stack["n"]
    pooled = ((n - 1) @ stack["s2"] + (n_0b - 1) @ s2_0b) / ((n - 1).sum() + (n_0b - 1).sum())
    # m_0 = (n_0 c)^2 / sum_b [(n_0b-1) s2_0b + n_0b c_b^2] = (sum x)^2/sum x^2 over the controls, before regression
    total, square = raw[is_control].sum(axis=0), (raw[is_control] ** 2).sum(axis=0)
    m_0 = np.divide(total**2, square, out=np.zeros_like(square), where=square > 0)
    return Moments(
        names=np.array(names), strata=strata, n=n, n_half=stack["n_half"].T, n_pb=stack["n_pb"],
        n_pb_half=stack["n_pb_half"].transpose(1, 0, 2), raw_mean=stack["raw_mean"],
        raw_variance=stack["raw_variance"], h=stack["h"].transpose(1, 0, 2), n_0b=n_0b, c_b=c_b, s2_0b=s2_0b,
        n_0b_half=n_0b_half, c_b_half=c_b_half, block_mean=np.array(block_mean), block_n=np.array(block_n),
        block_nb=np.array(block_nb), s2=stack["s2"], s2_pooled=pooled, m_p=stack["m_p"], m_0=m_0,
        any_negative=bool((raw < 0).any()), too_few=np.array(too_few), small_strata=small,
    )  # fmt: skip


def restrict_genes(moments, genes):
    """Cut the moments to some genes (index or boolean array): sums over genes are then over those."""
    last = ("raw_mean", "raw_variance", "h", "c_b", "s2_0b", "c_b_half", "block_mean", "s2", "s2_pooled", "m_p", "m_0")
    return replace(moments, **{field: getattr(moments, field)[..., genes] for field in last})


def restrict_perturbations(moments, rows):
    """Cut the moments to some perturbations; pooled s2_g stays that of the whole screen."""
    first = ("names", "n", "n_pb", "raw_mean", "raw_variance", "s2", "m_p")
    second = ("n_half", "n_pb_half", "h")
    parts = {field: getattr(moments, field)[rows] for field in first}
    parts |= {field: getattr(moments, field)[:, rows] for field in second}
    return replace(moments, **parts)


def guide_reproducibility(moments_of_guide_halves):
    """§1: `reproducibility_guides` = 2r/(1+r) of cor(D1, D2) of guide halves (moments made with guide halves)."""
    d = moments_of_guide_halves.effect_half
    r = np.array([np.corrcoef(d[0, p], d[1, p])[0, 1] for p in range(d.shape[1])])
    return 2 * r / (1 + r)


def block_degrees(moments):
    """§1: d_a = sum_{k in a} (1 - sum_b n_kb^2/(n^a_0b n_k)), (2,)."""
    d = np.zeros(2)
    for k, a in enumerate(moments.block_half):
        d[a] += 1 - np.sum(moments.block_nb[k] ** 2 / (moments.n_0b_half[a] * moments.block_n[k]))
    return d


def control_variance(moments, v_half):
    """§1: Var_0 = sum_a sum_b (1/n^a_0b) sum_{k in a} n_k (beta_k . V^a_b)^2/d_a.

    Parameters
    ----------
    v_half
        V^a_b, (2, S, G).
    """
    d = block_degrees(moments)
    variance = 0.0
    for k, a in enumerate(moments.block_half):
        for b in range(len(moments.strata)):
            product = moments.block_mean[k] @ v_half[a, b]
            variance += moments.block_n[k] * product**2 / d[a] / moments.n_0b_half[a, b]
    return variance


def control_derivative_of_halves(moments, a_half):
    """§1: V^a_b = sum_p w^a_pb A^a_p for derivatives A^a_p = d/dD^a_p, (2, P, G) -> (2, S, G)."""
    return np.stack([moments.w_half[a].T @ a_half[a] for a in range(2)])


def control_derivative_of_effects(moments, a_effect):
    """§1: V^1_b = V^2_b = 1/2 sum_p w_pb A_p for derivatives A_p = d/dDelta_p, (P, G) -> (2, S, G)."""
    v = 0.5 * moments.w.T @ a_effect
    return np.stack([v, v])


def control_draw(moments, g):
    """Head: c^a_b* = c^a_b + sum_{k in a} g_kb sqrt(n_k/(n^a_0b d_a)) beta_k, g (K, S) standard normal -> (2, S, G)."""
    d = block_degrees(moments)
    draw = moments.c_b_half.copy()
    for k, a in enumerate(moments.block_half):
        for b in range(len(moments.strata)):
            scale = np.sqrt(moments.block_n[k] / (moments.n_0b_half[a, b] * d[a]))
            draw[a, b] += g[k, b] * scale * moments.block_mean[k]
    return draw


def gram(moments):
    """§1: K = Delta Delta' - diag(t_p/n_p) - W diag(tau) W', (P, P)."""
    delta = moments.effect
    return delta @ delta.T - np.diag(moments.t / moments.n) - moments.w @ np.diag(moments.tau) @ moments.w.T


def energy(moments):
    """§1: E_p = K_pp = |Delta_p|^2 - N_p, (P,)."""
    return np.sum(moments.effect**2, axis=1) - moments.noise


@dataclass(frozen=True)
class NoiseShape:
    """Noise vectors and the shape of the noise (§1)."""

    vectors: np.ndarray  # (Q, G)
    owner: np.ndarray  # (Q,) perturbation, or -1 for control blocks
    a2: float
    a2_se: float
    factor: float
    a2_raised: float
    a3: float
    a3_raised: float

    def without(self, p):
        """Return the vectors r != p."""
        return self.vectors[self.owner != p]


def noise_shape(moments):
    """§1: nu = (h~1 - h~2)/sqrt(1/n1 + 1/n2)/sqrt(t_p), block differences likewise; a2 = sum M^2/(Q(Q-1)), a3.

    a2 is raised by SHAPE_SE of its delete-one SE (factor f), a3+ by f^1.5.
    """
    vectors, owner = [], []
    for p in range(len(moments.names)):
        if moments.t[p] <= 0:
            continue
        h = [moments.h[a, p] - moments.w_half[a, p] @ moments.c_b for a in range(2)]
        n1, n2 = moments.n_half[:, p]
        vectors.append((h[0] - h[1]) / np.sqrt(1 / n1 + 1 / n2) / np.sqrt(moments.t[p]))
        owner.append(p)
    k = len(moments.block_n)
    t_0 = np.sum((moments.n_0b - 1) * moments.t_0b) / np.sum(moments.n_0b - 1)
    d_sum = block_degrees(moments).sum()
    for i in range(k // 2):
        j = i + k // 2
        scale = np.sqrt((1 / moments.block_n[i] + 1 / moments.block_n[j]) * d_sum / k)
        vectors.append((moments.block_mean[i] - moments.block_mean[j]) / scale / np.sqrt(t_0))
        owner.append(-1)
    vectors, owner = np.array(vectors), np.array(owner)
    m = vectors @ vectors.T
    np.fill_diagonal(m, 0)
    q = len(m)

    def second(keep):
        part = m[np.ix_(keep, keep)]
        return np.sum(part**2) / (len(keep) * (len(keep) - 1))

    a2 = second(np.arange(q))
    a2_se = np.sqrt(jackknife_variance(second, q))
    a3 = np.trace(m @ m @ m) / (q * (q - 1) * (q - 2))
    factor = (a2 + SHAPE_SE * a2_se) / a2
    return NoiseShape(vectors, owner, a2, a2_se, factor, a2 * factor, a3, max(a3, 0.0) * factor**1.5)


# ----------------------------------------------------------------------------------------------------------------------
# §1 forms
# ----------------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rows:
    """Rows j of §1 Forms: the P group means, then the S control strata."""

    x: np.ndarray  # (J, G)
    v: np.ndarray  # (J,)
    n: np.ndarray  # (J,)
    s2: np.ndarray  # (J, G)


def rows_of(moments):
    """§1 Forms: rows with mean x_j, noise v_j (t_p/n_p; tau_b) and n_j."""
    return Rows(
        np.vstack([moments.raw_mean, moments.c_b]),
        np.concatenate([moments.t / moments.n, moments.tau]),
        np.concatenate([moments.n, moments.n_0b]),
        np.vstack([moments.s2, moments.s2_0b]),
    )


def weights_effect(moments, p):
    """§1 Forms: Delta_p = {p: 1, (0,b): -w_pb}."""
    u = np.zeros(len(moments.names) + len(moments.strata))
    u[p] = 1
    u[len(moments.names) :] = -moments.w[p]
    return u


def weights_control(moments):
    """§1 Forms: c = {(0,b): w_0b}."""
    return np.concatenate([np.zeros(len(moments.names)), moments.w_0])


def weights_mean_star(moments, p):
    """§1 Forms: xbar*_p = {p: 1, (0,b): w_0b - w_pb}."""
    return weights_effect(moments, p) + weights_control(moments)


def weights_training_mean(moments, training):
    """METRICS-scores §1: m = {q in training: 1/T, (0,b): w_0b - wbar_b}."""
    return np.mean([weights_mean_star(moments, q) for q in training], axis=0)


def weights_interaction(moments, pair, first, second):
    """§1 Forms: eps = Delta_AB - Delta_A - Delta_B."""
    return weights_effect(moments, pair) - weights_effect(moments, first) - weights_effect(moments, second)


def form_product(rows, u, w):
    """§1 Forms: <u,w> = (ux).(wx) - sum_j u_j w_j v_j."""
    return (u @ rows.x) @ (w @ rows.x) - np.sum(u * w * rows.v)


def form_standard_error(rows, matrix, shape):
    """§1 Forms: error^2 = sum_j v_j mean_nu (g_j.nu)^2 - sum A_jk^2 v_j v_k a2, g = 2Ax, floor 2 sum A^2 v v a2.

    Literal; see the report: with this A (symmetric) the subtraction should be twice as large.
    """
    g = 2 * matrix @ rows.x
    quadratic = rows.v @ matrix**2 @ rows.v
    square = sum(rows.v[j] * np.mean((shape.vectors @ g[j]) ** 2) for j in range(len(g))) - quadratic * shape.a2
    return np.sqrt(max(square, 2 * quadratic * shape.a2_raised))


def energy_standard_error(moments, shape, p):
    """§1 Forms: error of E_p = <Delta_p, Delta_p>, A = u u'."""
    u = weights_effect(moments, p)
    return form_standard_error(rows_of(moments), np.outer(u, u), shape)


def form_test(rows, u, shape, s2_pooled, no_z=None):
    """§1 Forms p: §2 with N = sum u^2 v, sum (u_j^2 v_j)^2/(n_j - 1), z = (ux)_g/sqrt(sum u^2 max(s2_jg, s2_g)/n_j).

    Parameters
    ----------
    no_z
        Genes without a z (MIN_DETECTING), boolean.
    """
    noise = np.sum(u**2 * rows.v)
    energy_of_form = np.sum((u @ rows.x) ** 2) - noise
    z_energy = energy_of_form / np.sqrt(2 * shape.a2_raised * (noise**2 + np.sum((u**2 * rows.v) ** 2 / (rows.n - 1))))
    z = (u @ rows.x) / np.sqrt((u**2 / rows.n) @ np.maximum(rows.s2, s2_pooled))
    if no_z is not None:
        z = np.where(no_z, np.nan, z)
    p_energy = p_of_energy(z_energy, shape)
    p_single = p_of_genes(z)
    return {
        "z_energy": z_energy,
        "p_energy": p_energy,
        "p_single": p_single,
        "p": min(1.0, 2 * min(p_energy, p_single)),
    }


def fieller(numerator, denominator, var_numerator, var_denominator, covariance, quantile):
    """§1 Forms: "Ratios: this screen -> Fieller"; NaN where the set is not an interval."""
    a = denominator**2 - quantile**2 * var_denominator
    b = numerator * denominator - quantile**2 * covariance
    c = numerator**2 - quantile**2 * var_numerator
    if a <= 0 or b**2 - a * c < 0:
        return np.nan, np.nan
    root = np.sqrt(b**2 - a * c)
    return (b - root) / a, (b + root) / a


# ----------------------------------------------------------------------------------------------------------------------
# §7 intervals
# ----------------------------------------------------------------------------------------------------------------------
def jackknife_variance(statistic, n):
    """§7: delete-one about its mean, (P-1)/P sum_p (T_-p - mean)^2; ``statistic`` takes the rows that are kept."""
    values = np.array([statistic(np.delete(np.arange(n), p)) for p in range(n)])
    return (n - 1) / n * np.sum((values - values.mean()) ** 2)


def effective_number(denominators):
    """§7: n_effective = (sum e+)^2 / sum (e+)^2."""
    e = np.maximum(denominators, 0)
    return e.sum() ** 2 / np.sum(e**2) if np.any(e > 0) else np.nan


def effective_number_of_mean(values):
    """§3: n_effective of l2_ratio: (sum d^2)^2/sum d^4 of deviations d."""
    d = values - np.mean(values)
    return np.sum(d**2) ** 2 / np.sum(d**4) if np.any(d != 0) else np.nan


def label_of_units(n, n_effective):
    """§3 Labels: n < MIN_UNITS: "not given"; n_effective < FEW or n < MANY: "approximate"; else ""."""
    if n < MIN_UNITS:
        return "not given"
    return "approximate" if n_effective < FEW or n < MANY else ""


def normal_quantile():
    """Two-sided normal quantile of the confidence level."""
    return stats.norm.ppf(0.5 + CONFIDENCE / 2)


def t_quantile(df):
    """§7: two-sided t quantile with at least 2 df."""
    return stats.t.ppf(0.5 + CONFIDENCE / 2, max(df, 2.0))


def interval_linear(estimate, se, quantile):
    """R -/+ q SE."""
    return estimate - quantile * se, estimate + quantile * se


def interval_logit(estimate, se, quantile):
    """§7: on the logit where min(R, 1-R) >= 2 SE, else linear about the estimate cut to [0, 1], bounds cut."""
    if np.isnan(estimate) or np.isnan(se):
        return np.nan, np.nan
    if min(estimate, 1 - estimate) >= 2 * se and 0 < estimate < 1:
        center, half_width = np.log(estimate / (1 - estimate)), quantile * se / (estimate * (1 - estimate))
        return tuple(1 / (1 + np.exp(-(center + sign * half_width))) for sign in (-1, 1))
    low, high = interval_linear(np.clip(estimate, 0, 1), se, quantile)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def interval_log(estimate, se, quantile):
    """§7: on the log where R >= 2 SE, else linear."""
    if estimate >= 2 * se and estimate > 0:
        factor = np.exp(quantile * se / estimate)
        return estimate / factor, estimate * factor
    return interval_linear(estimate, se, quantile)


def interval_ratio(estimate, se, quantile):
    """§7: the outer of `log` and linear."""
    log, linear = interval_log(estimate, se, quantile), interval_linear(estimate, se, quantile)
    return min(log[0], linear[0]), max(log[1], linear[1])


def ratio_of_sums(numerators, denominators, interval=interval_ratio, extra_variance=0.0):
    """§7: R = sum a/sum e, jackknife SE, t with n_effective - 1 df; NaN bounds under MIN_UNITS."""
    a, e = np.asarray(numerators, float), np.asarray(denominators, float)
    n = len(a)
    value = a.sum() / e.sum()
    se = np.sqrt(jackknife_variance(lambda keep: a[keep].sum() / e[keep].sum(), n) + extra_variance)
    n_effective = effective_number(e)
    low, high = interval(value, se, t_quantile(n_effective - 1)) if n >= MIN_UNITS else (np.nan, np.nan)
    return {
        "value": value,
        "se": se,
        "low": low,
        "high": high,
        "n": n,
        "n_effective": n_effective,
        "label": label_of_units(n, n_effective),
    }


def mean_over_perturbations(values, log=False):
    """§3: t of the mean over perturbations, n - 1 df (`log` for l2_ratio); NaN bounds under MIN_UNITS."""
    values = np.asarray(values, float)
    n = len(values)
    value, se = values.mean(), values.std(ddof=1) / np.sqrt(n)
    low, high = (np.nan, np.nan)
    if n >= MIN_UNITS:
        low, high = (interval_log if log else interval_linear)(value, se, t_quantile(n - 1))
    n_effective = effective_number_of_mean(values)
    return {
        "value": value,
        "se": se,
        "low": low,
        "high": high,
        "n": n,
        "n_effective": n_effective,
        "label": label_of_units(n, n_effective),
    }


# ----------------------------------------------------------------------------------------------------------------------
# §2 what became of a perturbation
# ----------------------------------------------------------------------------------------------------------------------
def benjamini_hochberg(p):
    """BH-adjusted values; NaN stay NaN and are not counted."""
    p = np.asarray(p, float)
    q = np.full(p.shape, np.nan)
    given = np.flatnonzero(~np.isnan(p))
    m = len(given)
    order = given[np.argsort(p[given], kind="stable")]
    running = 1.0
    for rank in range(m, 0, -1):
        running = min(running, p[order[rank - 1]] * m / rank)
        q[order[rank - 1]] = running
    return q


def reproducibility(moments):
    """§2: E+/(E+ + N), (P,)."""
    positive = np.maximum(energy(moments), 0)
    return positive / (positive + moments.noise)


def z_denominator(moments):
    """§2: sqrt(max(s2_pg, s2_g)/n_p + sum_b w_pb^2 max(s2_0bg, s2_g)/n_0b), (P, G)."""
    own = np.maximum(moments.s2, moments.s2_pooled) / moments.n[:, None]
    return np.sqrt(own + moments.w**2 @ (np.maximum(moments.s2_0b, moments.s2_pooled) / moments.n_0b[:, None]))


def z_denominator_half(moments, a):
    """As ``z_denominator`` with n^a_p, w^a_pb, n^a_0b (A30), (P, G)."""
    own = np.maximum(moments.s2, moments.s2_pooled) / moments.n_half[a][:, None]
    control = np.maximum(moments.s2_0b, moments.s2_pooled) / moments.n_0b_half[a][:, None]
    return np.sqrt(own + moments.w_half[a] ** 2 @ control)


def undetectable(moments):
    """§2: NaN where m_pg + m_0g < MIN_DETECTING; no floor where values can be negative, (P, G) boolean."""
    return (moments.m_p + moments.m_0 < MIN_DETECTING) & (not moments.any_negative)


def z_scores(moments):
    """§2: z_pg = Delta_pg / denominator, NaN where undetectable, (P, G)."""
    denominator = z_denominator(moments)
    z = np.divide(moments.effect, denominator, out=np.full_like(denominator, np.nan), where=denominator > 0)
    return np.where(undetectable(moments), np.nan, z)


def p_of_energy(z_energy, shape):
    """§2: upper tail of chi2_k at k + z sqrt(2k), k = 8/gamma^2, gamma = 8 a3/(2 a2)^1.5 in [0.001, sqrt 8]."""
    gamma = np.clip(8 * shape.a3_raised / (2 * shape.a2_raised) ** 1.5, 0.001, np.sqrt(8))
    k = 8 / gamma**2
    return stats.chi2.sf(k + z_energy * np.sqrt(2 * k), k)


def p_of_genes(z):
    """§2: p_S = smallest BH value over genes of 2 Phi(-|z|)."""
    given = z[~np.isnan(z)]
    return float(np.min(benjamini_hochberg(2 * stats.norm.sf(np.abs(given))))) if len(given) else 1.0


def any_effect(moments, shape, targets):
    """§2: z_E, p_E, p_S, p = min(1, 2 min(p_E, p_S)), q by BH, detected = q <= FDR; targets of p left out.

    z_E = E/sqrt(2 a2 (N^2 + (t_p/n_p)^2/(n_p-1) + sum_b (w_pb^2 tau_b)^2/(n_0b-1))).

    Parameters
    ----------
    targets
        Gene indices of the targets of each perturbation, a list of lists in the order of ``moments.names``.
    """
    n_genes = moments.raw_mean.shape[1]
    result = {key: np.zeros(len(moments.names)) for key in ("z_energy", "p_energy", "p_single", "p")}
    z = z_scores(moments)
    for p in range(len(moments.names)):
        others = np.setdiff1d(np.arange(n_genes), targets[p])
        part = restrict_genes(moments, others)
        noise, own = part.noise[p], part.t[p] / part.n[p]
        control = np.sum((part.w[p] ** 2 * part.tau) ** 2 / (part.n_0b - 1))
        scale = np.sqrt(2 * shape.a2_raised * (noise**2 + own**2 / (part.n[p] - 1) + control))
        result["z_energy"][p] = energy(part)[p] / scale
        result["p_energy"][p] = p_of_energy(result["z_energy"][p], shape)
        result["p_single"][p] = p_of_genes(z[p, others])
        result["p"][p] = min(1.0, 2 * min(result["p_energy"][p], result["p_single"][p]))
    result["q"] = benjamini_hochberg(result["p"])
    result["detected"] = result["q"] <= FDR
    return result


def null_standard_error(moments, shape):
    """§2: SE_0^2 = 2 a2 [sum (t/n)^2 n/(n-1) + 2 sum (t/n) sum_b w^2 tau + sum_bb' (W'W)^2 tau tau']."""
    own, tau, w = moments.t / moments.n, moments.tau, moments.w
    first = np.sum(own**2 * moments.n / (moments.n - 1))
    second = 2 * np.sum(own * (w**2 @ tau))
    third = np.sum((w.T @ w) ** 2 * np.outer(tau, tau))
    return np.sqrt(2 * shape.a2_raised * (first + second + third))


def response_known(moments, shape):
    """§2: sum E_p >= SURE SE_0."""
    return energy(moments).sum() >= SURE * null_standard_error(moments, shape)


def own_gene(moments, targets):
    """§2: z at the own target (of several that of least |z|), two-sided p, BH over perturbations; log-fold change.

    Log-fold change is Delta at that target.
    """
    z = z_scores(moments)
    count = len(moments.names)
    best_z, change, p_value = np.full(count, np.nan), np.full(count, np.nan), np.full(count, np.nan)
    for p in range(count):
        given = [g for g in targets[p] if not np.isnan(z[p, g])]
        if given:
            gene = min(given, key=lambda g: abs(z[p, g]))
            best_z[p], change[p] = z[p, gene], moments.effect[p, gene]
            p_value[p] = 2 * stats.norm.sf(abs(best_z[p]))
    return {"z": best_z, "log_fold_change": change, "p": p_value, "q": benjamini_hochberg(p_value)}


def categories(q, own_gene_q, targets_confounder, z_energy, own_share, technical_share):
    """§2 Kind, first that holds (`too few cells` are ``moments.too_few``); all inputs per usable perturbation.

    Parameters
    ----------
    own_share
        own_p/E_p of §4.
    technical_share
        Largest share of p on one technical set (NaN where not given).
    """
    kinds = []
    for p in range(len(q)):
        own_responds = own_gene_q[p] <= FDR
        shared = own_share[p] > HALF or technical_share[p] > HALF
        if not q[p] <= FDR and not own_responds:
            kinds.append("not detected")
        elif own_responds and q[p] > FDR:
            kinds.append("target gene only")
        elif targets_confounder[p]:
            kinds.append("targets a confounder gene")
        elif z_energy[p] >= SURE and shared:
            kinds.append("mostly shared")
        elif z_energy[p] >= SURE:
            kinds.append("specific")
        else:
            kinds.append("weak")
    return np.array(kinds)


def top_genes(z, k):
    """§2: the k genes of largest |z|; those with NaN cannot lead (ties: lower index first)."""
    magnitude = np.where(np.isnan(z), -np.inf, np.abs(z))
    order = np.argsort(-magnitude, kind="stable")[:k]
    return order[np.isfinite(magnitude[order])]


# ----------------------------------------------------------------------------------------------------------------------
# §3 and §11 scores
# ----------------------------------------------------------------------------------------------------------------------
def genes_scored(c, gene_names, n_top):
    """§11: the n_top genes highest by c, ties by name; index in that order."""
    return np.lexsort((np.asarray(gene_names), -np.asarray(c)))[:n_top]


def predicted_control_weights(moments, rows, kind="mean", brought=None):
    """§3: w-hat_pb = w_0b for predicted means, 0 for delta, own weights for predictions brought as cells, (H, S)."""
    if brought is not None:
        return np.asarray(brought, float)
    weights = moments.w_0 if kind == "mean" else np.zeros(len(moments.strata))
    return np.tile(weights, (len(rows), 1))


def prediction_from_cells(moments, mean_of_cells, weights):
    """§3: x-hat_p = c + mean of predicted cells - sum_b w-hat_pb c_b."""
    return moments.c + mean_of_cells - weights @ moments.c_b


def truth_noise(moments, rows, predicted_weights):
    """§3: f_pg = s2_pg/n_p + sum_b (w_pb - w-hat_pb)^2 s2_0bg/n_0b, not clipped, (H, G)."""
    control = (moments.w[rows] - predicted_weights) ** 2 @ (moments.s2_0b / moments.n_0b[:, None])
    return moments.s2[rows] / moments.n[rows][:, None] + control


def correlation(a, b):
    """Pearson correlation; a constant side gives 0."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(a @ a) * np.sqrt(b @ b)
    return float(a @ b / norm) if norm > 0 else 0.0


def centered_share(shape, genes=slice(None)):
    """METRICS-scores §1: phi = sum |nu centered|^2 / sum |nu|^2, over the noise vectors cut to the scored genes (A38)."""
    vectors = shape.vectors[:, genes]
    return np.sum((vectors - vectors.mean(axis=1, keepdims=True)) ** 2) / np.sum(vectors**2)


def concentration(shape, genes, centered):
    """a2 of METRICS §1 of the noise vectors cut to the scored genes, scaled to a mean square of 1 (A47)."""
    vectors = shape.vectors[:, genes]
    if centered:
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
    n, products = len(vectors), vectors @ vectors.T
    return (np.sum(products**2) - np.sum(np.diag(products) ** 2)) / (n * (n - 1)) / np.mean(np.diag(products)) ** 2


def pearson_ceiling(moments, p, predicted_weights, reference, reference_weights, reference_noise, phi, a2):
    """§3: [e + sum (w-o) y tau]/sqrt((e + sum y^2 tau) A) in [0, 1], e = A - t/n - sum (w-o)^2 tau (A47).

    A is centered over genes, as the score is, and t, tau, t_r are times phi, what centering leaves of noise (A46).

    Parameters
    ----------
    predicted_weights
        w-hat_pb, (S,).
    reference, reference_weights, reference_noise
        Reference (G,), its omega_b (S,) and t_r; control: c, 0, 0.
    a2
        Of the noise, centered.
    """
    a = _squared_difference(moments.mean_star[p], reference, centered=True)
    noise, cross, square = _ceiling_parts(moments, p, predicted_weights, reference_weights, reference_noise, phi)
    return _less_curved(a, noise, phi * reference_noise + cross, phi * reference_noise + square, a2)


def unshared_ceiling(moments, p, predicted_weights, reference, reference_weights, reference_noise, phi, a2):
    """METRICS-scores §1: (e - t_r)/sqrt((e + sum y^2 tau) A), letters of METRICS §3; of a cosine phi is None."""
    a = _squared_difference(moments.mean_star[p], reference, centered=phi is not None)
    scale = 1.0 if phi is None else phi
    noise, _, square = _ceiling_parts(moments, p, predicted_weights, reference_weights, reference_noise, scale)
    return _less_curved(a, noise, 0.0, scale * reference_noise + square, a2)


def _less_curved(a, noise, product, square, a2):
    """(e + product)/sqrt((e + square) A), less what its curvature makes of the error of e and A (A47), by differences."""
    e = a - noise
    above, below = max(e + product, 0), max(e, 0) + square
    if below * a <= 0:
        return 0.0
    variance = 2 * a2 * noise**2 + 4 * a2 * noise * max(e, 0)
    least = 1.5 * np.sqrt(variance)
    x, y = max(above, least), max(below, least)

    def at(i, j):
        return (x + i * step) / np.sqrt((y + i * step) * (a + j * step))

    step = 1e-3 * min(x, y, a)
    curved = (at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / 2 + (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    factor = 1 - variance * curved / step**2 / at(0, 0)
    return float(np.clip(above / np.sqrt(below * a) * factor, 0, 1))


def _squared_difference(a, b, centered):
    difference = a - b
    return np.sum((difference - difference.mean()) ** 2) if centered else np.sum(difference**2)


def _ceiling_parts(moments, p, predicted_weights, reference_weights, reference_noise, phi):
    y, difference, tau = predicted_weights - reference_weights, moments.w[p] - reference_weights, phi * moments.tau
    noise = phi * moments.t[p] / moments.n[p] + np.sum(difference**2 * tau) + phi * reference_noise
    return noise, np.sum(difference * y * tau), np.sum(y**2 * tau)


def training_reference(moments, training):
    """§3: training mean m of Q perturbations, omega_b = mean_q w_qb, t_r = sum_q (t_q/n_q)/Q^2."""
    training = np.asarray(training)
    own = moments.t[training] / moments.n[training]
    return moments.mean_star[training].mean(axis=0), moments.w[training].mean(axis=0), own.sum() / len(training) ** 2


def score_table(moments, rows, predicted, training_means, z, genes):
    """§11 Scores: l2, rmse, mae, l2_ratio, mse_de20, pearson_delta, pearson_delta_perturbed, control_noise.

    Parameters
    ----------
    rows
        Held-out perturbations, (H,).
    predicted, training_means
        x-hat and m of the fit that predicts p, (H, all genes).
    z
        z_pg of all perturbations (P, all genes).
    genes
        Scored genes.
    """
    part = restrict_genes(moments, genes)
    table = {key: np.zeros(len(rows)) for key in (
        "l2", "rmse", "mae", "l2_mean", "l2_ratio", "mse_de20", "pearson_delta", "pearson_delta_perturbed",
        "control_noise")}  # fmt: skip
    for i, p in enumerate(rows):
        x, m, y = predicted[i][genes], training_means[i][genes], part.mean_star[p]
        leading = top_genes(z[p][genes], 20)
        table["l2"][i] = np.sqrt(np.sum((x - y) ** 2))
        table["rmse"][i] = np.sqrt(np.mean((x - y) ** 2))
        table["mae"][i] = np.mean(np.abs(x - y))
        table["l2_mean"][i] = np.sqrt(np.sum((m - y) ** 2))
        table["l2_ratio"][i] = table["l2"][i] / table["l2_mean"][i]
        table["mse_de20"][i] = np.mean((x - y)[leading] ** 2)
        table["pearson_delta"][i] = correlation(x - part.c, y - part.c)
        table["pearson_delta_perturbed"][i] = correlation(x - m, y - m)
        size = np.sum((x - part.c) ** 2)
        table["control_noise"][i] = np.sum(part.w_0**2 * part.tau) / size if size > 0 else np.inf
    return table


def unshared_score(moments, shape, p, predicted, predicted_row_weights, reference_row_weights, genes, centered=True):
    """METRICS-scores §1: [(x-r).(y-r) - S_p]/(|x-r||y-r|), S_p = phi sum_j (x-r)_j (y-r)_j v_j; returns score, plain.

    Parameters
    ----------
    predicted_row_weights, reference_row_weights
        Weights on the rows of §1 Forms (P + S,); e.g. omega_c * weights_control + omega_m * weights_training_mean.
    centered
        Pearson (True) or cosine (False, phi = 1).
    """
    part = restrict_genes(moments, genes)
    rows = rows_of(part)
    reference = reference_row_weights @ rows.x
    a, b = predicted[genes] - reference, part.mean_star[p] - reference
    phi = 1.0
    if centered:
        a, b = a - a.mean(), b - b.mean()
        phi = centered_share(shape, genes)
    side_x = predicted_row_weights - reference_row_weights
    side_y = weights_mean_star(part, p) - reference_row_weights
    shared = phi * np.sum(side_x * side_y * rows.v)
    norm = np.sqrt(a @ a) * np.sqrt(b @ b)
    return ((a @ b - shared) / norm, a @ b / norm) if min(a @ a, b @ b) > 1e-20 else (0.0, 0.0)


def l2_skill(l2, l2_baseline, noise, noise_baseline, shape, extra_variance=0.0):
    """§3: 1 - R, R = sum (l2^2_model - f)/sum (l2^2_mean - f), `ratio`; room sum(.) >= SURE sqrt(2 a2 sum f^2).

    ``noise`` and ``noise_baseline`` are f_p of the model and of the baseline, summed over the scored genes, (H,) (A15).
    """
    numerators, denominators = l2**2 - noise, l2_baseline**2 - noise_baseline
    result = ratio_of_sums(numerators, denominators, interval_ratio, extra_variance)
    result["room"] = denominators.sum() >= SURE * np.sqrt(2 * shape.a2_raised * np.sum(noise_baseline**2))
    result["value"], result["low"], result["high"] = 1 - result["value"], 1 - result["high"], 1 - result["low"]
    if not result["room"]:
        result |= {"value": np.nan, "low": np.nan, "high": np.nan}
    return result


def pearson_skill(r_model, r_baseline, r_ceiling, extra_variance=0.0):
    """§3: sum (r_model - r_mean)/sum (r_ceiling - r_mean), jackknife linear t; room: lower bound of mean(.) > 0."""
    denominators = r_ceiling - r_baseline
    result = ratio_of_sums(r_model - r_baseline, denominators, interval_linear, extra_variance)
    result["room"] = bool(mean_over_perturbations(denominators)["low"] > 0)
    if not result["room"]:
        result |= {"value": np.nan, "low": np.nan, "high": np.nan}
    return result


def variance_ratio(predicted, gram_of_held_out):
    """§3: root of `ratio` of sum Var_p(x-hat) to sum (HKH)_pp, H centers over the held-out."""
    n = len(predicted)

    def parts(keep):
        x = predicted[keep] - predicted[keep].mean(axis=0)
        h = np.eye(len(keep)) - 1 / len(keep)
        return np.sum(x**2), np.diag(h @ gram_of_held_out[np.ix_(keep, keep)] @ h)

    top, terms = parts(np.arange(n))
    ratio = top / terms.sum()
    se = np.sqrt(jackknife_variance(lambda keep: parts(keep)[0] / parts(keep)[1].sum(), n))
    n_effective = effective_number(terms)
    low, high = (np.nan, np.nan)
    if n >= MIN_UNITS:
        low, high = interval_ratio(ratio, se, t_quantile(n_effective - 1))
    root = [np.sqrt(max(value, 0)) if terms.sum() > 0 else np.nan for value in (ratio, low, high)]
    return {"value": root[0], "low": root[1], "high": root[2], "n": n, "n_effective": n_effective,
                "label": label_of_units(n, n_effective)}  # fmt: skip


def discrimination(predicted, observed, own, excluded):
    """§11: (#{q != p: d_q > d_p} + 1/2 #ties)/(Q-1), L1 distance, genes that are targets of any q left out.

    Parameters
    ----------
    predicted
        H × G.
    observed
        Q × G, xbar* of the candidates of the same split.
    own
        Row of ``observed`` that is p, per row of ``predicted``.
    excluded
        Genes left out.
    """
    genes = np.setdiff1d(np.arange(observed.shape[1]), excluded)
    if len(observed) < 3:
        return np.full(len(predicted), np.nan)
    scores = []
    for x, p in zip(predicted, own, strict=True):
        d = np.array([np.sum(np.abs(x[genes] - y[genes])) for y in observed])
        others = np.delete(d, p)
        scores.append((np.sum(others > d[p]) + 0.5 * np.sum(others == d[p])) / (len(d) - 1))
    return np.array(scores)


def discrimination_interval(scores, constant=False):
    """§3: m, se over the d_p and one pseudo-value 1/2; logit-t, n df; 1 where mean > 1-1/n; widened."""
    n = len(scores)
    mean = scores.mean()
    if constant or n < MIN_UNITS:
        return {"value": mean, "low": np.nan, "high": np.nan}
    with_pseudo = np.append(scores, 0.5)
    m, se = with_pseudo.mean(), with_pseudo.std(ddof=1) / np.sqrt(n + 1)
    center, width = np.log(m / (1 - m)), t_quantile(n) * se / (m * (1 - m))
    low, high = (1 / (1 + np.exp(-(center + sign * width))) for sign in (-1, 1))
    if mean > 1 - 1 / n:
        high = 1.0
    return {"value": mean, "low": min(low, mean), "high": max(high, mean)}


# ----------------------------------------------------------------------------------------------------------------------
# §4 confounding
# ----------------------------------------------------------------------------------------------------------------------
def _indicator(set_genes, n_genes):
    indicator = np.zeros(n_genes)
    indicator[np.asarray(set_genes, dtype=int)] = 1
    return indicator


def energy_by_gene(moments):
    """Delta_pg^2 - v_pg, (P, G), not clipped."""
    return moments.effect**2 - moments.v


def gene_set_share(moments, shape, set_genes):
    """§4 this screen: R = sum_p sum_S (Delta^2 - v)/sum E, its variance and its interval.

    Var = sum_p [4 (q_p - kappa_p tau_U)+/n_p
    + 2 tau_U kappa_p^2] + Var_0(A_p = 2 U Delta_p), over (sum E)^2; normal quantile, `logit`; U = diag(1_S - R).
    """
    delta, total = moments.effect, energy(moments).sum()
    share = energy_by_gene(moments)[:, set_genes].sum() / total
    u = _indicator(set_genes, delta.shape[1]) - share
    kappa = 1 / moments.n + moments.w**2 @ (1 / moments.n_0b)
    scale = np.sqrt(np.median(moments.t))
    scaled = shape.vectors * scale
    products = (scaled * u) @ scaled.T
    off_diagonal = ~np.eye(len(products), dtype=bool)
    tau_u = np.mean(products[off_diagonal] ** 2)
    variance = 0.0
    for p in range(len(moments.names)):
        q_p = np.mean((shape.without(p) * scale @ (u * delta[p])) ** 2)
        variance += 4 * max(q_p - kappa[p] * tau_u, 0) / moments.n[p] + 2 * tau_u * kappa[p] ** 2
    variance += control_variance(moments, control_derivative_of_effects(moments, 2 * u * delta))
    se = np.sqrt(variance) / abs(total)
    low, high = interval_logit(share, se, normal_quantile())
    return {"share": share, "se": se, "low": low, "high": high}


def typical_weights(moments):
    """§4: omega_p = 1/max(|Delta_p|^2, N_p)."""
    return 1 / np.maximum(np.sum(moments.effect**2, axis=1), moments.noise)


def gene_set_typical(moments, set_genes):
    """§4 a typical perturbation: sum omega A/sum omega E and its interval.

    Jackknife + Var_0(A_p = 2 omega_p diag(1_S - typical)
    Delta_p/sum omega E), P-1 df, `logit`; NaN bounds under MIN_UNITS.
    """
    omega, e = typical_weights(moments), energy(moments)
    a = energy_by_gene(moments)[:, set_genes].sum(axis=1)
    n = len(e)
    typical = np.sum(omega * a) / np.sum(omega * e)
    jackknife = jackknife_variance(lambda keep: np.sum((omega * a)[keep]) / np.sum((omega * e)[keep]), n)
    u = _indicator(set_genes, moments.raw_mean.shape[1]) - typical
    derivative = 2 * omega[:, None] * u * moments.effect / np.sum(omega * e)
    se = np.sqrt(jackknife + control_variance(moments, control_derivative_of_effects(moments, derivative)))
    low, high = interval_logit(typical, se, t_quantile(n - 1)) if n >= MIN_UNITS else (np.nan, np.nan)
    return {"typical": typical, "se": se, "typical_low": low, "typical_high": high}


def gene_set_share_by_perturbation(moments, set_genes, z_energy):
    """§4 per perturbation: energy of S over E_p, NaN unless z_E >= SURE (A22)."""
    share = energy_by_gene(moments)[:, set_genes].sum(axis=1) / energy(moments)
    return np.where(z_energy >= SURE, share, np.nan)


def null_candidates(c, set_genes, in_no_set):
    """§4 Null: for each gene of S the N_NEAREST genes in no set nearest in log(c + 0.001), nearest first."""
    log_c = np.log(c + 0.001)
    pool = np.flatnonzero(in_no_set)
    return np.array([pool[np.argsort(np.abs(log_c[pool] - log_c[g]), kind="stable")[:N_NEAREST]] for g in set_genes])


def gene_set_null(moments, set_genes, candidates, draws):
    """§4 Null: each gene of S replaced by a random candidate, with replacement; both estimands from the same draws.

    Parameters
    ----------
    candidates
        Of ``null_candidates``.
    draws
        B × |S| integers below ``candidates.shape[1]``.
    """
    by_gene, omega = energy_by_gene(moments), typical_weights(moments)
    e, log_c = energy(moments), np.log(moments.c + 0.001)
    shares, typicals, mismatches = [], [], []
    for draw in draws:
        genes = candidates[np.arange(len(set_genes)), draw]
        drawn = by_gene[:, genes].sum(axis=1)
        shares.append(drawn.sum() / e.sum())
        typicals.append(np.sum(omega * drawn) / np.sum(omega * e))
        mismatches.append(np.mean(np.abs(log_c[genes] - log_c[np.asarray(set_genes)])))
    shares, typicals = np.array(shares), np.array(typicals)
    share = by_gene[:, set_genes].sum() / e.sum()
    p = (1 + np.sum(shares >= share)) / (1 + len(shares))
    return {"null": shares.mean(), "typical_null": typicals.mean(), "p": p, "mismatch": float(np.mean(mismatches)),
                "null_shares": shares, "null_typicals": typicals}  # fmt: skip


def is_beyond(n_measured, n_sets, null, share, typical):
    """§4: >= MIN_SET genes, mismatch <= MISMATCH, p <= FDR/#sets, low > null and typical_low > null of typical."""
    return bool(
        n_measured >= MIN_SET
        and null["mismatch"] <= MISMATCH
        and null["p"] <= FDR / n_sets
        and share["low"] > null["null"]
        and typical["typical_low"] > null["typical_null"]
    )


def shared_axis(moments, shape):
    """§4 shared axis, leave one out: own_p = x_p y_p/z_p, share = sum own/sum E, test of existence, variance.

    K = D1 D2'; own_p = 0 where z^_p = sum_{q,r != p} K^_qr <= SURE sqrt(2 a2) [sum_{q != p} t_q/n_q
    + sum_b (sum_{q != p} w_qb)^2 tau_b] or z_p <= 0.
    """
    d = moments.effect_half
    k, k_hat = d[0] @ d[1].T, gram(moments)
    count = len(k)
    own_noise, tau, w = moments.t / moments.n, moments.tau, moments.w
    factor = SURE * np.sqrt(2 * shape.a2_raised)
    own, measurable = np.zeros(count), np.zeros(count, dtype=bool)
    x, y, z = np.zeros(count), np.zeros(count), np.zeros(count)
    for p in range(count):
        others = np.delete(np.arange(count), p)
        x[p], y[p], z[p] = k[p, others].sum(), k[others, p].sum(), k[np.ix_(others, others)].sum()
        z_hat = k_hat[np.ix_(others, others)].sum()
        bound = factor * (own_noise[others].sum() + np.sum(w[others].sum(axis=0) ** 2 * tau))
        measurable[p] = z_hat > bound and z[p] > 0
        if measurable[p]:
            own[p] = x[p] * y[p] / z[p]
    e = energy(moments)
    total = e.sum()
    share = own.sum() / total
    overall_bound = factor * (own_noise.sum() + np.sum(w.sum(axis=0) ** 2 * tau))
    positive = np.maximum(e, 0)
    exists = k_hat.sum() > overall_bound and positive[measurable].sum() >= HALF * positive.sum()

    gradient = shared_axis_gradient(x, y, z, measurable, share)
    a_half = np.stack([gradient @ d[1], gradient.T @ d[0]])
    variance = 0.0
    for a in range(2):
        for p in range(count):
            variance += np.mean((shape.without(p) @ a_half[a, p]) ** 2) * moments.t[p] / moments.n_half[a, p]
    noise_half = moments.t / moments.n_half
    variance -= shape.a2 * noise_half[0] @ gradient**2 @ noise_half[1]
    variance += control_variance(moments, control_derivative_of_halves(moments, a_half))
    se = np.sqrt(max(variance, 0)) / abs(total)
    low, high = interval_logit(share, se, normal_quantile())
    result = dict(own=own, measurable=measurable, exists=bool(exists), share_if_any=share, gradient=gradient,
                  share=share, se=se, low=low, high=high, **axis_carriers(own))  # fmt: skip
    if not exists:
        result |= {"share": np.nan, "se": np.nan, "low": np.nan, "high": np.nan}
    return result


def shared_axis_gradient(x, y, z, measurable, share):
    """§4: G_qr = y_q/z_q + x_r/z_r - sum_{p != q,r} x_p y_p/z_p^2, G_pp = -sum_{q != p} x_q y_q/z_q^2 - R."""
    count = len(x)
    ratio = np.zeros((3, count))
    for p in range(count):
        if measurable[p]:
            ratio[:, p] = y[p] / z[p], x[p] / z[p], x[p] * y[p] / z[p] ** 2
    gradient = np.zeros((count, count))
    for q in range(count):
        for r in range(count):
            others = np.setdiff1d(np.arange(count), [q, r])
            gradient[q, r] = -ratio[2, others].sum()
            gradient[q, r] += -share if q == r else ratio[0, q] + ratio[1, r]
    return gradient


def axis_carriers(own):
    """§4 Who: n_axis = (sum own+)^2/sum (own+)^2; carriers = fewest perturbations with CARRY of sum own+."""
    positive = np.maximum(own, 0)
    if positive.sum() == 0:
        return {"n_axis": np.nan, "carriers": np.array([], dtype=int)}
    order = np.argsort(-positive, kind="stable")
    count = int(np.searchsorted(np.cumsum(positive[order]), CARRY * positive.sum() * (1 - 1e-12))) + 1
    return {"n_axis": effective_number(own), "carriers": order[:count]}


def carrier_genes(moments, carriers, k):
    """§4: genes of largest mean effect of the carriers (absolute)."""
    return np.argsort(-np.abs(moments.effect[carriers].mean(axis=0)), kind="stable")[:k]


def common_to_all(moments, shape):
    """§4: T and whether it exists.

    T = sum_{p != q} K_pq/((P-1) sum K_pp); jackknife + Var_0(A_p = 2 sum_{q != p} Delta_q/((P-1) sum E)
    - 2 T Delta_p/sum E) + 2 a2 sum_bb' [W_b W_b' - (W'W)_bb']^2 tau tau'/((P-1) sum E)^2; exists: T >= EXISTS SE.
    """
    k, delta = gram(moments), moments.effect
    count = len(k)
    if count < 3:
        return {"common": np.nan, "se": np.nan, "low": np.nan, "high": np.nan, "exists": False}

    def statistic(keep):
        part = k[np.ix_(keep, keep)]
        return (part.sum() - np.trace(part)) / ((len(keep) - 1) * np.trace(part))

    t, total = statistic(np.arange(count)), np.trace(k)
    derivative = 2 * (delta.sum(axis=0) - delta) / ((count - 1) * total) - 2 * t * delta / total
    variance = jackknife_variance(statistic, count)
    variance += control_variance(moments, control_derivative_of_effects(moments, derivative))
    w_sum, tau = moments.w.sum(axis=0), moments.tau
    cross = np.outer(w_sum, w_sum) - moments.w.T @ moments.w
    variance += 2 * shape.a2_raised * np.sum(cross**2 * np.outer(tau, tau)) / ((count - 1) * total) ** 2
    se, n_effective = np.sqrt(variance), effective_number(np.diag(k))
    low, high = (np.nan, np.nan)
    if count >= MIN_UNITS:
        low, high = interval_logit(t, se, t_quantile(n_effective - 1))
    return {
        "common": t,
        "se": se,
        "low": low,
        "high": high,
        "n_effective": n_effective,
        "exists": bool(t >= EXISTS * se),
    }


# ----------------------------------------------------------------------------------------------------------------------
# §11 axes (tables)
# ----------------------------------------------------------------------------------------------------------------------
def direction_share(moments, first, second):
    """§11: sum_p D1' B2 (B1' B2)^-1 B1' D2/sum E; for one direction (D1.u2)(D2.u1)/(u1.u2).

    Parameters
    ----------
    first, second
        u1, u2 (G,) or B1, B2 (G, k) from halves 0 and 1.
    """
    b1, b2 = first.reshape(len(first), -1), second.reshape(len(second), -1)
    d = moments.effect_half
    inverse = np.linalg.inv(b1.T @ b2)
    return sum(d[0, p] @ b2 @ inverse @ b1.T @ d[1, p] for p in range(d.shape[1])) / energy(moments).sum()


def depth_direction(x_control, log_depth, batch_control, half_control):
    """§11: u^a = regression of genes on log depth within control half a (within strata), (2, G)."""
    slopes = []
    for a in range(2):
        cells = half_control == a
        depth = log_depth[cells].astype(float).copy()
        for b in np.unique(batch_control[cells]):
            depth[batch_control[cells] == b] -= depth[batch_control[cells] == b].mean()
        slopes.append(depth @ x_control[cells] / (depth @ depth))
    return np.array(slopes)


def leading_shares(moments, folds, count=5):
    """§11 leading_k: shares of the right singular vectors of the means centered on the perturbed centroid.

    Found on the other folds, evaluated on each fold, sum_p (D1 V)(D2 V)/sum E, (count,).
    """
    d, total = moments.effect_half, energy(moments).sum()
    shares = np.zeros(count)
    for fold in np.unique(folds):
        means = moments.mean_star[folds != fold]
        _, _, vt = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
        for p in np.flatnonzero(folds == fold):
            shares += (d[0, p] @ vt[:count].T) * (d[1, p] @ vt[:count].T)
    return shares / total


def gene_set_shapley(moments, sets):
    """§11 shapley of genes: a gene in j sets counts 1/j to each; `other` takes the rest, sum 1."""
    by_gene, total = energy_by_gene(moments).sum(axis=0), energy(moments).sum()
    member = np.array([_indicator(genes, len(by_gene)) for genes in sets.values()])
    times = member.sum(axis=0)
    shares = {name: np.sum(by_gene[row > 0] / times[row > 0]) / total for name, row in zip(sets, member, strict=True)}
    shares["other"] = by_gene[times == 0].sum() / total
    return shares


def direction_shapley(moments, directions):
    """§11 shapley of directions: mean over all orders of the gain of the projector onto the joint span.

    ``directions`` maps a name to (u1, u2).
    """
    names = list(directions)

    def value(members):
        if not members:
            return 0.0
        return direction_share(
            moments, np.stack([directions[m][0] for m in members], 1), np.stack([directions[m][1] for m in members], 1)
        )

    gains, orders = dict.fromkeys(names, 0.0), list(permutations(names))
    for order in orders:
        for i, name in enumerate(order):
            gains[name] += (value(order[: i + 1]) - value(order[:i])) / len(orders)
    return gains


def on_systematic(moments, set_genes):
    """§11: sum_{g in S} u1_g u2_g/(u1.u2), u^a = sum_p D^a_p."""
    u = moments.effect_half.sum(axis=1)
    return np.sum(u[0, set_genes] * u[1, set_genes]) / (u[0] @ u[1])


# ----------------------------------------------------------------------------------------------------------------------
# §5 recurrence
# ----------------------------------------------------------------------------------------------------------------------
def control_bins(c, n_bins=20):
    """§11: n_bins bins of c, of equal counts by rank (ties by index)."""
    rank = np.empty(len(c), dtype=int)
    rank[np.argsort(c, kind="stable")] = np.arange(len(c))
    return rank * n_bins // len(c)


def recurrence_values(moments, by, half=None):
    """§5, §11: v of `delta`, `z` or `centered`, whole (half=None) or of half a; NaN where undetectable, (P, G)."""
    effect = moments.effect if half is None else moments.effect_half[half]
    if by == "centered":
        effect = effect - effect.mean(axis=0)
    if by != "delta":
        effect = effect / (z_denominator(moments) if half is None else z_denominator_half(moments, half))
    return np.where(undetectable(moments), np.nan, effect)


def top_table(values, k):
    """§11: T_p = the k genes largest in |v_p|, (P, G) boolean."""
    table = np.zeros(values.shape, dtype=bool)
    for p, row in enumerate(values):
        table[p, top_genes(row, k)] = True
    return table


def poisson_binomial_tail(probabilities, observed):
    """P(sum of independent Bernoulli >= observed), exact."""
    distribution = np.array([1.0])
    for prob in probabilities:
        distribution = np.convolve(distribution, [1 - prob, prob])
    return float(min(distribution[observed:].sum(), 1.0)) if observed > 0 else 1.0


def recurrence_p(tops, bins):
    """§11 Null: C_g ~ Poisson-binomial{k_{p,b}/|b|} within bins of c, exact upper tail, (G,)."""
    counts = tops.sum(axis=0)
    p_values = np.ones(len(counts))
    for b in np.unique(bins):
        genes = np.flatnonzero(bins == b)
        probabilities = tops[:, genes].sum(axis=1) / len(genes)
        for g in genes:
            p_values[g] = poisson_binomial_tail(probabilities, counts[g])
    return p_values


def z_recurrence_allowed(moments):
    """§5: n_0e >= N0_PER_N median n_p, 1/n_0e = median_p sum_b w_pb^2/n_0b."""
    n_0e = 1 / np.median(moments.w**2 @ (1 / moments.n_0b))
    return bool(n_0e >= N0_PER_N * np.median(moments.n))


def recurrence(moments, k, by="centered"):
    """§5, §11: C_g of the observed effects, p = the larger of those of the two halves, q by BH over genes.

    `z` has q only where ``z_recurrence_allowed``; `delta` likewise has p and q here (the text forbids neither).
    """
    bins = control_bins(moments.c)
    tops = top_table(recurrence_values(moments, by), k)
    p_half = [recurrence_p(top_table(recurrence_values(moments, by, a), k), bins) for a in range(2)]
    p = np.maximum(*p_half)
    q = benjamini_hochberg(p)
    if by == "z" and not z_recurrence_allowed(moments):
        q = np.full(len(p), np.nan)
    counts = tops.sum(axis=0)
    return {"count": counts, "p": p, "q": q, "n_effective_genes": effective_genes(counts)}


def effective_genes(counts):
    """§11: n_effective_genes = exp(entropy of C/sum C)."""
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def recurrence_excess(count_model, count_observed, n):
    """§5: excess = model - observed (of proportions), Agresti-Caffo interval: one success and one failure added."""
    p1, p2 = (count_model + 1) / (n + 2), (count_observed + 1) / (n + 2)
    se = np.sqrt(p1 * (1 - p1) / (n + 2) + p2 * (1 - p2) / (n + 2))
    return {"excess": (count_model - count_observed) / n, "low": p1 - p2 - normal_quantile() * se,
                "high": p1 - p2 + normal_quantile() * se}  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------------
# §6 specificity
# ----------------------------------------------------------------------------------------------------------------------
def _basis(vectors):
    """Orthonormal basis (k, G) of the span of the rows; zero and dependent rows are dropped."""
    basis = []
    for vector in vectors:
        size = np.sqrt(vector @ vector)
        rest = vector.astype(float)
        for _ in range(2):
            for e in basis:
                rest = rest - (rest @ e) * e
        norm = np.sqrt(rest @ rest)
        if norm > 1e-10 * size and norm > 0:
            basis.append(rest / norm)
    return np.array(basis).reshape(len(basis), len(vectors[0]))


def specific_parts(moments, rows, predicted, training_means, training_weights, genes=None):
    """§6: X_p, Y_p = predicted and observed effects off span{u_p, v}, and f_off.

    u_p = m_f(p) - c, v the first right singular vector of all predicted effects off u_p; f_off = sum_g of s2_pg/n_p
    + sum_b (w_pb - wbar_b)^2 s2_0bg/n_0b less its part on the span.

    Parameters
    ----------
    training_weights
        wbar_b = mean_q w_qb of the training perturbations of the fit that predicts p, (H, S).
    """
    genes = np.arange(moments.raw_mean.shape[1]) if genes is None else genes
    part = restrict_genes(moments, genes)
    c = part.c
    effects = predicted[:, genes] - c
    shared = training_means[:, genes] - c
    off = []
    for i in range(len(rows)):
        e = _basis([shared[i]])
        off.append(effects[i] - e.T @ (e @ effects[i]))
    v = np.linalg.svd(np.array(off), full_matrices=False)[2][0] if np.any(off) else np.zeros(len(genes))
    x, y, noise_off = [], [], []
    noise = truth_noise(part, rows, training_weights)
    for i, p in enumerate(rows):
        e = _basis([shared[i], v])
        x.append(effects[i] - e.T @ (e @ effects[i]))
        y.append(part.effect[p] - e.T @ (e @ part.effect[p]))
        noise_off.append(noise[i].sum() - np.sum(e**2 @ noise[i]))
    return np.array(x), np.array(y), np.array(noise_off), effects


def specific_skill(moments, shape, rows, predicted, training_means, training_weights, genes=None):
    """§6: 1 - sum(|X-Y|^2 - f_off)/sum(|Y|^2 - f_off), `ratio`; slope and fitted.

    Slope b = sum XY/sum|X|^2 (jackknife t);
    fitted = (sum XY)^2/(sum|X|^2 sum(|Y|^2 - f_off)) (`log`).

    NaN under MIN_UNITS or without room, sum(|Y|^2 - f_off) >= SURE sqrt(2 a2 sum f_off^2).  Nothing left
    (sum|X|^2 <= 1e-9 of that of the predicted effects): exactly 0, slope NaN.
    """
    x, y, noise, effects = specific_parts(moments, rows, predicted, training_means, training_weights, genes)
    n = len(rows)
    names = ("skill", "low", "high", "slope", "slope_low", "slope_high", "fitted", "fitted_low", "fitted_high")
    result = dict.fromkeys(names, np.nan)
    denominators = np.sum(y**2, axis=1) - noise
    result["n_effective"] = effective_number(denominators)
    result["room"] = bool(denominators.sum() >= SURE * np.sqrt(2 * shape.a2_raised * np.sum(noise**2)))
    if n < MIN_UNITS or not result["room"]:
        return result
    size, product = np.sum(x**2, axis=1), np.sum(x * y, axis=1)
    if size.sum() <= 1e-9 * np.sum(effects**2):
        result["skill"] = result["low"] = result["high"] = 0.0
        return result
    skill = ratio_of_sums(np.sum((x - y) ** 2, axis=1) - noise, denominators, interval_ratio)
    result |= {"skill": 1 - skill["value"], "low": 1 - skill["high"], "high": 1 - skill["low"]}
    slope = ratio_of_sums(product, size, interval_linear)
    result |= {"slope": slope["value"], "slope_low": slope["low"], "slope_high": slope["high"]}

    def fitted(keep):
        return product[keep].sum() ** 2 / (size[keep].sum() * denominators[keep].sum())

    value, se = fitted(np.arange(n)), np.sqrt(jackknife_variance(fitted, n))
    low, high = interval_log(value, se, t_quantile(result["n_effective"] - 1))
    return result | {"fitted": value, "fitted_low": low, "fitted_high": high}


def specific_words(result):
    """§6 Words: low > SPECIFIC; else low of b > 0 and low of fitted > SPECIFIC; else `not specific`."""
    if result["low"] > SPECIFIC:
        return "perturbation-specific"
    if result["slope_low"] > 0 and result["fitted_low"] > SPECIFIC:
        return "right direction, wrong size"
    return "not specific"


def external_training_mean(moments, declared_training=None, predicted_rows=()):
    """§6: m = unweighted mean of xbar* of declared training perturbations, else of all that are not predicted."""
    rows = declared_training
    if rows is None:
        rows = np.setdiff1d(np.arange(len(moments.names)), predicted_rows)
    return moments.mean_star[rows].mean(axis=0)


def axis_only_prediction(moments, a, direction, p):
    """§11 axis-only oracle: c^a + P D^a for held-out p (scored on the other half); P projects on the rows given."""
    e = _basis(np.atleast_2d(direction))
    c_half = moments.w_0 @ moments.c_b_half[a]
    return c_half + e.T @ (e @ moments.effect_half[a, p])


def mismatch_gain(scores, folds, permuted, higher_is_better=True):
    """§11 mismatch null: specific_gain = score - mean over q != p of the same fold; p = (1+b)/(1+B).

    Parameters
    ----------
    scores
        scores[p, q] = score of the prediction of q judged against p.
    permuted
        B × P permutations within folds.
    """
    sign = 1 if higher_is_better else -1
    count = len(scores)
    gain = np.full(count, np.nan)
    for p in range(count):
        others = np.flatnonzero((folds == folds[p]) & (np.arange(count) != p))
        if len(others):
            gain[p] = sign * (scores[p, p] - scores[p, others].mean())
    own = sign * np.mean(np.diag(scores))
    exchanged = np.array([sign * np.mean(scores[np.arange(count), row]) for row in permuted])
    return {"gain": gain, "mean": np.nanmean(gain), "p": (1 + np.sum(exchanged >= own)) / (1 + len(permuted))}


# ----------------------------------------------------------------------------------------------------------------------
# §11 other questions, folds
# ----------------------------------------------------------------------------------------------------------------------
def target_percentile(z_row, gene):
    """§11: percentile of |z| at a gene among genes, mid-rank (A37)."""
    given = ~np.isnan(z_row)
    if not given[gene]:
        return np.nan
    magnitude = np.abs(z_row[given])
    own = abs(z_row[gene])
    return (np.sum(magnitude < own) + 0.5 * np.sum(magnitude == own)) / given.sum()


def target_scan(z, target_columns, reach, permuted):
    """§11: A(s) = mean percentile at column target+s, |s| <= reach; p: targets permuted, maximum over s.

    ``permuted`` is B × P; columns beyond the ends are left out of the mean.
    """
    percentiles = np.array([[target_percentile(row, g) for g in range(z.shape[1])] for row in z])
    shifts = np.arange(-reach, reach + 1)

    def scan(columns):
        means = []
        for s in shifts:
            inside = [(p, c + s) for p, c in enumerate(columns) if 0 <= c + s < z.shape[1]]
            means.append(np.nanmean([percentiles[pair] for pair in inside]))
        return np.array(means)

    columns = np.asarray(target_columns)
    observed = scan(columns)
    best = np.array([scan(columns[row]).max() for row in permuted])
    p = np.array([(1 + np.sum(best >= value)) / (1 + len(best)) for value in observed])
    return {"shift": shifts, "mean": observed, "p": p}


def attribution_agreement(a, b, k, bins):
    """§11: Spearman of mid-ranks, overlap@K = |intersection|/K, chance K/n, closed-form permutation p in bins.

    Permutation mean and variance of sum r_a r_b with one side permuted within bins; normal upper tail.
    """
    n = len(a)
    if np.all(a == a[0]) or np.all(b == b[0]):
        return {"spearman": np.nan, "overlap": np.nan, "chance": k / n, "p": np.nan}
    r_a, r_b = stats.rankdata(a), stats.rankdata(b)
    mean = variance = 0.0
    for j in np.unique(bins):
        x, y = r_a[bins == j], r_b[bins == j]
        mean += len(x) * x.mean() * y.mean()
        if len(x) > 1:
            variance += np.sum((x - x.mean()) ** 2) * np.sum((y - y.mean()) ** 2) / (len(x) - 1)
    top_a, top_b = (set(np.argsort(-row, kind="stable")[:k]) for row in (a, b))
    p = float(stats.norm.sf((np.sum(r_a * r_b) - mean) / np.sqrt(variance)))
    return {"spearman": np.corrcoef(r_a, r_b)[0, 1], "overlap": len(top_a & top_b) / k, "chance": k / n, "p": p}


def attribution_check(attributions):
    """§11, first that holds: zero, constant, one_hot (one gene >= 0.999 of sum |a|), shared (cosine > 0.999), ok.

    ``attributions`` is P × n; `one_hot` and `shared` have to hold of all perturbations or pairs.
    """
    a = np.asarray(attributions, float)
    if np.all(a == 0):
        return "zero"
    if np.all(a == a[:, :1]):
        return "constant"
    if np.all(np.abs(a).max(axis=1) >= 0.999 * np.abs(a).sum(axis=1)):
        return "one_hot"
    norm = np.linalg.norm(a, axis=1, keepdims=True)
    unit = np.divide(a, norm, out=np.zeros_like(a), where=norm > 0)
    if len(a) > 1 and np.all((unit @ unit.T)[~np.eye(len(a), dtype=bool)] > 0.999):
        return "shared"
    return "ok"


def coupling(retrained, full, c, kept):
    """§11: kappa = |x_retrained - x_full|_K/|x_full - c|_K."""
    return np.linalg.norm((retrained - full)[..., kept]) / np.linalg.norm((full - c)[..., kept])


def regime_p(gain, random_gains):
    """§11: p = (1 + #{gain_r >= gain})/(1 + R)."""
    return (1 + np.sum(np.asarray(random_gains) >= gain)) / (1 + len(random_gains))


def cut_folds(permuted, n_folds):
    """§11 Folds: perturbations permuted once and cut into n_folds blocks; fold number of each perturbation."""
    folds = np.empty(len(permuted), dtype=int)
    for number, part in enumerate(np.array_split(np.asarray(permuted), n_folds)):
        folds[part] = number
    return folds


# ----------------------------------------------------------------------------------------------------------------------
# §12 what profiles keep
# ----------------------------------------------------------------------------------------------------------------------
def block_mean_from_sums(block_sum, block_nb, c_b_half, block_half):
    """§12: beta_k from block sums and n_kb: (sum_k - sum_b n_kb c^a_b)/n_k, (K, G)."""
    return np.array([(block_sum[k] - block_nb[k] @ c_b_half[a]) / block_nb[k].sum() for k, a in enumerate(block_half)])
