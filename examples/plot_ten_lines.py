"""
A study in ten lines
====================

What a study in TOML does, in Python: configurations are crossed, claims stated beforehand, and all verdicts share one
guarantee. A study adds what a file is good for: its samples are on disk, can be extended, and make a report.
"""

import varprop as vp
from varprop.verification.compare import Case, assess

nets = {weights: vp.mlp([64] * 11, activation="relu", weights=weights) for weights in ("he_normal", "xavier_normal")}
sims = {label: vp.simulate(net, n_networks=2000, rng=2015) for label, net in nets.items()}
kept = vp.Claim(id="kept", quantity="preactivation_second_moment", test="growth_rate", theory="preserved", margin=0.05)
verdicts = assess([Case(label, sim, (kept,)) for label, sim in sims.items()], alpha=0.05)
ax = vp.plot.forest(verdicts)
