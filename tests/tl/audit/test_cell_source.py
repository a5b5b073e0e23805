import scpertbias as spb
from scpertbias.tl._audit.cell_source import cell_source
from scpertbias.tl._audit.settings import AuditSettings


def test_counts_lie_beside_log_normalized_values():
    adata = spb.ds.simulate(300, 40, 3, rng=1)
    settings = AuditSettings(batch_key=None)
    source = cell_source(adata, adata, settings.data, settings, None)
    assert source.counts is adata.layers["counts"]
    assert source.reading["normalize"] is False
    fewer = adata[:, :30].copy()
    assert cell_source(adata, fewer, settings.data, settings, None).counts is None
    raw = AuditSettings(batch_key=None, normalize=True, layer="counts")
    assert cell_source(adata, adata, raw.data, raw, "size").counts is None
