"""A sample does not depend on the processor: with one input, in float32, without the widest vectors there are."""

import os
import subprocess
import sys

import pytest

from varprop.model.activations import activation_names

pytestmark = pytest.mark.false_alarm(0)

# What NumPy calls the instructions beyond AVX2, before and since version 2.4. Names that it does not know it passes over.
WIDE = "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"

SAMPLE = """
import hashlib, sys
import varprop as vp
for name in sys.argv[1:]:
    found = vp.simulate(vp.mlp([24] * 6, activation=name, weights="he_normal"), n_networks=300, rng=1)
    print(name, hashlib.sha256(b"".join(found.values(one).tobytes() for one in found.quantities)).hexdigest())
"""
ALONE = """
import hashlib, numpy as np
print(hashlib.sha256(np.expm1(np.linspace(-9, 0, 100_001, dtype=np.float32)).tobytes()).hexdigest())
"""


def printed(code, *arguments, without=""):
    """What a process prints that may not use some of the processor's instructions."""
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": without}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_narrow_vectors_give_the_same_sample():
    if printed(ALONE, without=WIDE) == printed(ALONE):
        pytest.skip("this processor has no vectors beyond AVX2, or NumPy does not let go of them")
    names = sorted(set(activation_names()) - {"step", "sign", "exp"})  # which have no gradient; which overflows
    assert printed(SAMPLE, *names, without=WIDE) == printed(SAMPLE, *names)
