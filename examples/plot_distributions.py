"""
The law over networks, layer by layer
=====================================

:func:`varprop.plot.distributions` draws a ridge for each of a few layers: how a second moment is distributed over networks,
with the exact law where one is known, else an approximate one. The mean stays where it was, carried by ever fewer
networks, and the typical network falls.
"""

import varprop as vp

net = vp.mlp([32] * 21, activation="relu", weights="he_normal")
sim = vp.simulate(net, n_networks=2000, rng=2015)
ax = vp.plot.distributions(sim)
