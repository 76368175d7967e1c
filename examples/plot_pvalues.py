"""
Are the p-values uniform?
=========================

Where all nulls are true and tests are exact, p-values lie along the diagonal of :func:`varprop.plot.pvalues`. Here are
those of 100 small studies of one true statement: that pivots follow their chi-square law.
"""

import varprop as vp

net = vp.mlp([32] * 3, activation="relu", weights="he_normal")
claim = vp.Claim(id="pivots", quantity="pivot", test="pivot_law")
found = []
for seed in range(100):
    sim = vp.simulate(net, n_networks=100, rng=seed, quantities=["pivot"])
    rows = vp.verify(sim, claims=[claim])
    found += rows.loc[rows["layer"].notna(), "pvalue"].tolist()
ax = vp.plot.pvalues(found)
