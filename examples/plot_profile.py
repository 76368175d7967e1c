"""
A quantity over depth
=====================

:func:`varprop.plot.profile` draws what was measured of each layer, with what theories say of it. Under He's
initialisation a ReLU network keeps its second moment on average (the dots), while a typical network loses some of it in
every layer: the band, 5 % to 95 % of the networks, widens and sinks.
"""

import varprop as vp

net = vp.mlp([64] * 21, activation="relu", weights="he_normal")
sim = vp.simulate(net, n_networks=1000, rng=2015)
ax = vp.plot.profile(sim, theories=["he", "xavier"])
