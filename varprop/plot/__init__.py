"""Figures for a script or a notebook: each function draws on matplotlib Axes and returns them.

They draw what a report's figures draw, in the style that matplotlib is set to. ``ax=None`` makes a new figure.

Examples
--------
>>> import varprop as vp
>>> net = vp.mlp([32] * 6, activation="relu", weights="he_normal")
>>> ax = vp.plot.profile(vp.simulate(net, n_networks=50, rng=1), theories=["he", "mean-field"])
>>> ax.get_xlabel()
'layer'
"""

from __future__ import annotations

from varprop.plot.depth import profile
from varprop.plot.exact_laws import exact_law, pvalues
from varprop.plot.forests import forest
from varprop.plot.layer_maps import correlation_map, length_map
from varprop.plot.phases import phase_diagram
from varprop.plot.spreads import distributions, histograms
from varprop.plot.statistics import band, power
from varprop.plot.sweeps import sweep

__all__ = [
    "band",
    "correlation_map",
    "distributions",
    "exact_law",
    "forest",
    "histograms",
    "length_map",
    "phase_diagram",
    "power",
    "profile",
    "pvalues",
    "sweep",
]
