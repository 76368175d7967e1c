"""
A PyTorch model
===============

A model is built anew for each replicate, and each of its modules is measured. This script needs PyTorch
(``pip install 'varprop[torch]'``) and is not run when these pages are built; the tests run it where PyTorch is.
"""

import torch
from torch import nn

import varprop as vp
from varprop.bridges.torch import simulate


def model():
    hidden = [part for _ in range(6) for part in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(64, 10))


sim = simulate(model, torch.ones(1, 64), n_networks=300, rng=2015)
verdicts = vp.verify(sim, theory="preserved", margin=0.1)
gains = vp.module_gains(sim)
ax = vp.plot.profile(sim, quantity="gradient_second_moment")
