"""Looks on a ladder: shares that sum to one, and false verdicts over all looks by simulation, beside looking as one likes."""

import itertools
import math

import numpy as np
import pytest
from scipy import special

from varprop.stats import multiple
from varprop.stats.chances import chance_to_decide
from varprop.stats.equivalence import decide, p_equivalence, p_refute
from varprop.stats.multiple import acceptance_region
from varprop.stats.outcome import Outcome
from varprop.stats.power import networks_to_decide

WIDTH = 16
DELTA = math.log(1.05)
LOOKS = 6


def test_shares_sum_to_one_and_rungs_are_fourfold():
    assert math.fsum(multiple.share(rung) for rung in range(1, 60)) == pytest.approx(1.0, abs=1e-15)
    assert all(multiple.share(a) > multiple.share(b) for a, b in itertools.pairwise(range(1, 20)))
    assert [multiple.size(7, rung) for rung in (1, 2, 3, 4)] == [7, 28, 112, 448]


@pytest.mark.parametrize("first", [1, 3, 200, 10**8])
@pytest.mark.parametrize("networks", [1, 2, 199, 200, 3_200, 10**9])
def test_the_rung_is_the_highest_that_is_reached(first, networks):
    rung = multiple.rung_of(first, networks)
    assert networks < multiple.size(first, rung + 1)
    assert (networks >= multiple.size(first, rung)) if rung else networks < first
    above = list(multiple.above(first, rung))
    assert above == [(k, multiple.size(first, k)) for k in range(rung + 1, rung + 1 + len(above))]
    assert all(networks < there <= multiple.MAX_NETWORKS for _, there in above)


@pytest.mark.parametrize(("first", "rung"), [(0, 1), (5, 0)])
def test_there_is_no_ladder_without_a_first_look(first, rung):
    with pytest.raises(ValueError, match="from 1"):
        multiple.size(first, rung)
    with pytest.raises(ValueError, match="from 1"):
        multiple.share(0)


# ---- false verdicts over several looks ---------------------------------------------------------------------------------


def _moments(width):
    """E r^k of one step, k to 4: r = (4 / n) Gamma(K / 2), K ~ Bin(n, 1/2), which is 0 where K is."""
    units = np.arange(width + 1)
    odds = special.binom(width, units) / 2.0**width
    raw = [np.where(units > 0, special.poch(units / 2.0, k), float(k == 0)) for k in range(5)]
    return [float(odds @ one) * (4.0 / width) ** k for k, one in enumerate(raw)]


MOMENTS = _moments(WIDTH)


def test_the_moments_are_those_of_the_law():
    assert MOMENTS[:2] == pytest.approx([1.0, 1.0])
    assert MOMENTS[2] == pytest.approx(1.0 + 5.0 / WIDTH)


def _sums(rng, networks):
    """Sums of r and r^2 over networks of the exact law of one ReLU step.

    Of many networks the sum is (4 / n) Gamma(K / 2) too, K ~ Bin(n times networks, 1/2); the sum of squares is then drawn from
    its normal law given the first, which it follows to within 1 / 180 of its standard error.
    """
    if networks <= 2**15:
        ratios = 4.0 / WIDTH * rng.standard_gamma(rng.binomial(WIDTH, 0.5, size=networks) / 2.0)
        return ratios.sum(), (ratios * ratios).sum()
    first = 4.0 / WIDTH * rng.standard_gamma(rng.binomial(WIDTH * networks, 0.5) / 2.0)
    variance, covariance = MOMENTS[2] - 1.0, MOMENTS[3] - MOMENTS[2]
    spread = math.sqrt(networks * (MOMENTS[4] - MOMENTS[2] ** 2 - covariance**2 / variance))
    second = networks * MOMENTS[2] + covariance / variance * (first - networks) + spread * rng.standard_normal()
    return first, second


def _outcome(networks, first, second):
    """What `step_mean` makes of the sums, held against a prediction that is too small by the whole margin."""
    mean = first / networks
    squared_cv = (second / networks - mean * mean) / mean**2 * networks / (networks - 1)
    theta = DELTA + math.log(mean) + squared_cv / (2 * networks)
    return Outcome.from_estimate(
        "step_mean", theta=theta, se=math.sqrt(squared_cv / networks), df=networks - 1, n=networks
    )


def _as_one_likes(outcome, rung, alpha):
    """As many networks as would decide were the estimate the truth, at the same level."""
    wanted = networks_to_decide(outcome, DELTA, alpha=alpha)
    return (rung, alpha, None if wanted is None else max(wanted, outcome.n + 1))


def _on_the_ladder(outcome, rung, alpha):
    """The first rung with a chance of one half or more."""
    for higher, networks in multiple.above(outcome.n, 1):
        level = multiple.share(rung + higher - 1) * alpha
        if chance_to_decide(outcome, networks, level=level, low=-DELTA, high=DELTA) >= 0.5:
            return rung + higher - 1, level, networks
    return rung, alpha, None


def _verdict(rng, alpha, go_on, first_share, first=1000):
    """Verdict of one study that goes on until it has one, six looks at most."""
    networks, sums, rung, level = first, np.zeros(2), 1, first_share * alpha
    outcome = None
    for _ in range(LOOKS):
        sums += _sums(rng, networks - (0 if outcome is None else outcome.n))
        outcome = _outcome(networks, *sums)
        verdict = decide(p_equivalence(outcome, DELTA), p_refute(outcome, DELTA), level=level)
        rung, level, wanted = go_on(outcome, rung, alpha)
        if verdict != "inconclusive" or wanted is None or wanted > multiple.MAX_NETWORKS:
            return verdict
        networks = wanted
    return verdict


def _false(rng, studies, go_on, first_share, alpha=0.05):
    """How often each verdict falls though the truth sits on the margin, where both are false."""
    verdicts = [_verdict(rng, alpha, go_on, first_share) for _ in range(studies)]
    return {name: verdicts.count(name) for name in ("supported", "refuted")}


@pytest.mark.false_alarm(8e-7)
def test_looks_on_the_ladder_keep_the_level_and_looks_as_one_likes_do_not(rng):
    """Truth on the margin, nominal 5 %, six looks at most at networks that the looks before suggest.

    On the ladder 4.4 % (4.1 to 4.7, 20,000 studies) are false, either way: of 600 more than 60 with probability below 4e-7
    each if the rate is 5 %. The control extends to the number that would decide were the estimate the truth, and looks again
    at the same level: 19 % (18 to 20), so that 60 or fewer of 600 are 5.7 standard errors away.
    """
    _, most = acceptance_region(600, 0.05)
    kept = _false(rng, 600, _on_the_ladder, multiple.share(1))
    lost = _false(rng, 600, _as_one_likes, 1.0)
    assert max(kept.values()) <= most
    assert min(lost.values()) > most


@pytest.mark.montecarlo
@pytest.mark.false_alarm(8e-7)
@pytest.mark.parametrize("claims", [1, 21])
def test_the_ladder_keeps_the_level_of_a_report(rng, claims):
    """As above at alpha and alpha / 21, of 20,000 studies. Measured with 20,000 and 40,000: "refuted" .0443 and .0023 (.0018 to
    .0028), "supported" .0430 and .0002; as one likes .195 and .0118, which is six standard errors beyond what is allowed.
    """
    alpha, studies = 0.05 / claims, 20_000
    _, most = acceptance_region(studies, alpha)
    assert max(_false(rng, studies, _on_the_ladder, multiple.share(1), alpha).values()) <= most
    assert _false(rng, studies // 2, _as_one_likes, 1.0, alpha)["refuted"] > most / 2
