"""
Verdicts with their margins
===========================

:func:`varprop.plot.forest` draws each verdict as measured over predicted, with its interval and the margin that was fixed
beforehand. Held against the textbook's "tanh is nearly linear", a tanh network under Xavier's initialisation is refuted
in most layers; the first, which no activation precedes, is as it should be.
"""

import varprop as vp

net = vp.mlp([128] * 7, activation="tanh", weights="xavier_normal")
sim = vp.simulate(net, n_networks=2000, rng=2015, quantities=["preactivation_second_moment", "gradient_second_moment"])
verdicts = vp.verify(sim, theory="xavier", margin=0.10)
ax = vp.plot.forest(verdicts)
