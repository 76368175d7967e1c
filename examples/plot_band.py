"""
Every layer at once
===================

:func:`varprop.plot.band` draws the mean step of every layer, given the layer below, over what a theory says of it. The
band holds for all layers at once, and the margin is shaded.
"""

import varprop as vp

net = vp.mlp([128] * 16, activation="tanh", weights="xavier_normal")
sim = vp.simulate(net, n_networks=2000, rng=2015)
ax = vp.plot.band(sim, theory="mean-field", margin=0.05)
