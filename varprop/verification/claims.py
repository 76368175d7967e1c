"""A claim: what is said of one quantity, against which theory, by which test, within which margin."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from varprop._arguments import check_fields, quoted
from varprop.model.quantities import ALL_QUANTITIES, TRAINING_QUANTITIES
from varprop.model.simulation import Place
from varprop.stats.equivalence import MARGINS
from varprop.theory import get_theory
from varprop.verification.reasons import REASONS

Verdict = Literal["supported", "refuted", "inconclusive"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SYMBOLS: dict[str, str] = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}
"""A verdict is never told by colour alone; in this order verdicts are listed."""


MarginUnit = Literal["ratio", "root mean square", "distance", "share"]
"""What a margin of 0.05 allows: estimates from 1/1.05 to 1.05 of the prediction (of weights also means of 0.05 standard deviations and
distances of 0.05), means of 0.05 root mean squares, Kolmogorov distances of 0.05, or shares of networks that differ by 0.05."""


@dataclass(frozen=True, slots=True)
class Test:
    """What a claim may name as its test.

    ``theory`` says whether it compares with a prediction that the claim has to name, ``quantities`` on which quantities it
    works, ``margin`` of what a claim's margin is a measure (`MarginUnit`); None where there is no margin. Of an exact
    ``point_null`` the p-value counts as such, and not only whether the truth lies within a margin.
    """

    name: str
    meaning: str
    theory: Literal["required", "optional", "none"]
    quantities: tuple[str, ...]
    margin: MarginUnit | None
    point_null: bool = False

    __test__ = False  # not one of pytest's


_STEPS = (
    "preactivation_variance",
    "preactivation_second_moment",
    "pivot",
    "activation_variance",
    "activation_second_moment",
    "gradient_second_moment",
)
_LEVELS = (
    "preactivation_variance",
    "preactivation_second_moment",
    "activation_variance",
    "activation_second_moment",
    "gradient_variance",
    "gradient_second_moment",
    "weight_gradient_second_moment",
)
_VALUES = (
    "activation_mean",
    "derivative_second_moment",
    "saturated_fraction",
    "dead_fraction",
    "cosine",
)
SHARE = 0.99
"""Of all networks, where an exact claim that names no reason states no other."""
BOUNDED = ("directional", "typical_directional", "level")
"""Tests of a claim that states a bound, by below or above."""
_WITH_A_LAW = (
    "preactivation_second_moment",
    "conditional_variance",
    "activation_second_moment",
    "gradient_second_moment",
    "weight_gradient_second_moment",
)
_UNITS_ALIKE = ("preactivation_variance", "activation_variance", "gradient_variance", "loss_gradient_variance")
_NETWORKS_ALIKE = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment", "pivot")
_TRAINED = tuple(name for name in TRAINING_QUANTITIES if name not in _UNITS_ALIKE)
_ALL = (
    Test("step_mean", "every layer, given the one before, is as the theory says", "required", _STEPS, "ratio"),
    Test(
        "pooled_step_mean",
        "a layer, given the one before, is on average as the theory says",
        "required",
        _STEPS,
        "ratio",
    ),
    Test("band", "all layers jointly, each given the one before, are as the theory says", "required", _STEPS, "ratio"),
    Test(
        "cumulative_mean",
        "over the whole depth, the mean over networks is as the theory says",
        "required",
        _LEVELS,
        "ratio",
    ),
    Test("growth_rate", "the mean network's gain per layer is as the theory says", "required", _LEVELS, "ratio"),
    Test("directional", "the mean network's gain per layer is below (or above) a stated factor", "none", _LEVELS, None),
    Test(
        "typical_directional",
        "the typical network's gain per layer is below (or above) a stated factor",
        "none",
        _LEVELS,
        None,
    ),
    Test("level", "in every layer the mean over networks is below (or above) a stated value", "none", _VALUES, None),
    Test(
        "zero_mean",
        "the mean over units is 0, in units of the root mean square",
        "none",
        ("activation_mean",),
        "root mean square",
    ),
    Test(
        "activation_map",
        "every activation's mean square, given the layer's conditional variance, is that of normal pre-activations",
        "none",
        ("activation_second_moment",),
        "ratio",
    ),
    Test(
        "pivot_law", "the sampler draws every layer from its exact chi-square law", "none", ("pivot",), "distance", True
    ),
    Test(
        "exact_law",
        "over networks every layer follows its exact finite-width law",
        "none",
        _WITH_A_LAW,
        "distance",
        True,
    ),
    Test("log_mean", "the typical network's logarithm is that of the exact law", "none", _WITH_A_LAW, "ratio", True),
    Test("dead_rate", "as many networks die as the widths say", "none", ("activation_second_moment",), "share", True),
    Test("spread", "layers vary between networks as the weights' fourth moment says", "none", ("pivot",), "ratio"),
    Test(
        "identity",
        "exactly: all units of a layer are alike (variances), or all networks are, or equal a stated value (other quantities), "
        "for a reason that holds whatever is drawn, or in a stated share of all networks",
        "optional",
        (*_UNITS_ALIKE, *_TRAINED, *_NETWORKS_ALIKE),
        None,
        True,
    ),
    Test(
        "weights_law",
        "independent weights follow the law they state, with mean 0 and the variance that a theory, if given, prescribes",
        "optional",
        ("weights",),
        "ratio",
        True,
    ),
)
TESTS: dict[str, Test] = {test.name: test for test in _ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement that a sample can support or refute.

    Parameters
    ----------
    id : str
        Its name in tables.
    quantity : str
        What is measured, a name of `varprop.model.quantities` ("weights" for ``weights_law``).
    test : str
        One of ``TESTS``: "step_mean", "pooled_step_mean", "band", "cumulative_mean", "growth_rate", "directional",
        "typical_directional", "level", "zero_mean", "activation_map", "pivot_law", "exact_law", "log_mean", "dead_rate", "spread", "identity" or
        "weights_law".
    theory : str, optional
        What it is held against. The first five need one; "identity" and "weights_law" take one; the others bring their own
        null.
    statement : str
        The claim in words.
    corrected : str
        What is true instead, in words, where the statement is not.
    margin : float, default 0.05
        Largest departure that still counts as agreement, > 0, in the unit of the test (``TESTS[test].margin``): a ratio; for
        ``zero_mean`` a standardised mean, for ``pivot_law`` and ``exact_law`` a Kolmogorov distance, for ``dead_rate`` a
        difference of shares. Tests of a stated bound and ``identity`` have none, and pay no heed to it.
    expect : {"supported", "refuted", "inconclusive"}, optional
        The verdict the author expects.
    layers : tuple of int, optional
        First and last layer that the claim is about; all if None.
    below, above : float, optional
        Factor per layer of a directional claim, or value of the quantity of a ``level`` claim, > 0: one of the two.
    equals : float, optional
        Value that every network has in every layer, of an ``identity`` claim; if None they have any value in common.
    reason : str, optional
        Why an ``identity`` claim holds whatever is drawn, one of ``varprop.verification.reasons.REASONS``: "equal-units",
        "zero-weights", "nothing-moves", "orthogonal", "continuous-weights" or "nothing-random". A network that does not have what the
        reason needs is an error. Such a claim is exact: it takes no part of alpha.
    share : float, optional
        Of all networks, in (0, 1], those in which an ``identity`` claim without a reason holds at least; .99 if None. 1 stands for all
        networks: one exception refutes it, and no number of networks supports it.

    Raises
    ------
    ValueError
        If a name is unknown, a margin is not positive, or the parts do not go together.
    TypeError
        If a field is of another kind.

    Examples
    --------
    >>> claim = Claim(
    ...     id="he.forward", quantity="preactivation_second_moment", test="cumulative_mean", theory="he", margin=0.1
    ... )
    >>> claim.expect is None
    True
    """

    id: str
    quantity: str
    test: str
    theory: str | None = None
    statement: str = ""
    margin: float = 0.05
    expect: Verdict | None = None
    layers: tuple[int, int] | None = None
    below: float | None = None
    above: float | None = None
    equals: float | None = None
    corrected: str = ""
    reason: str | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for problem in claim_problems(
            quantity=self.quantity,
            test=self.test,
            theory=self.theory,
            margin=self.margin,
            expect=self.expect,
            layers=self.layers,
            below=self.below,
            above=self.above,
            equals=self.equals,
            reason=self.reason,
            share=self.share,
        ).items():
            msg = f"claim {quoted(self.id)}: {problem[0]} {problem[1]}"
            raise ValueError(msg)

    def covers(self, place: Place) -> bool:
        """Tell whether a claim is about a place.

        Parameters
        ----------
        place : tuple of (int, str)
            Layer and module.

        Returns
        -------
        bool
        """
        return self.layers is None or self.layers[0] <= place[0] <= self.layers[1]

    @property
    def counts(self) -> bool:
        """Whether a verdict on the claim may be false by chance, so that it takes its part of alpha.

        Returns
        -------
        bool
            False of an ``identity`` that holds for a reason, and of one about all networks, which one exception refutes and nothing
            supports.
        """
        return self.test != "identity" or (self.reason is None and self.least_share < 1.0)

    @property
    def least_share(self) -> float:
        """Share of the networks in which an ``identity`` claim without a reason says to hold.

        Returns
        -------
        float
        """
        return SHARE if self.share is None else self.share

    @property
    def direction(self) -> Literal["below", "above"]:
        """Side of its bound on which a claim with one says that the truth lies.

        Returns
        -------
        {"below", "above"}
        """
        return "above" if self.below is None else "below"

    @property
    def bound(self) -> float:
        """Factor per layer, or value, that a claim with a bound states.

        Returns
        -------
        float
            NaN of other claims.
        """
        given = self.above if self.below is None else self.below
        return math.nan if given is None else given

    @property
    def log_margin(self) -> float:
        """Half-width of the margin on the scale of a ratio's logarithm.

        Returns
        -------
        float
        """
        return math.log1p(self.margin)

    @property
    def half_width(self) -> float:
        """Half-width of the margin on the scale of the test's estimate: a logarithm where the margin is that of a ratio.

        Returns
        -------
        float
        """
        return self.log_margin if TESTS[self.test].margin == "ratio" else self.margin

    @property
    def shown_margin(self) -> float:
        """Margin as tables have it.

        Returns
        -------
        float
            NaN where the test has none.
        """
        return math.nan if TESTS[self.test].margin is None else self.margin


def claim_problems(
    *,
    quantity: Any,
    test: Any,
    theory: Any = None,
    margin: Any = 0.05,
    expect: Any = None,
    layers: Any = None,
    below: Any = None,
    above: Any = None,
    equals: Any = None,
    reason: Any = None,
    share: Any = None,
) -> dict[str, str]:
    """Say everything that is wrong with the parts of a claim, by part; an empty dict if nothing is."""
    if test not in TESTS:
        return {"test": f"{quoted(test)} is unknown{_near(test, TESTS)}"}
    rule = TESTS[test]
    said = {
        "quantity": _about_quantity(rule, quantity),
        "theory": _about_theory(rule, theory, quantity),
        "margin": _about_margin(margin),
        "expect": "" if expect in (None, *VERDICTS) else f"{quoted(expect)} is no verdict{_near(expect, VERDICTS)}",
        "layers": ""
        if layers is None or _is_range(layers)
        else f"must be the first and last layer, got {quoted(layers)}",
        "equals": "" if equals is None else _about_value(rule, equals, quantity, theory),
        "reason": "" if reason is None else _about_reason(rule, reason, quantity),
        "share": "" if share is None else _about_share(rule, share, reason),
    }
    return {part: problem for part, problem in said.items() if problem} | _about_threshold(rule, below, above)


def _about_margin(margin: Any) -> str:
    low, high = MARGINS
    if _positive(margin) and low <= margin <= high:
        return ""
    return f"must be a number > 0, between {low:g} and {high:g}, got {quoted(margin)}; write 0.05 for 5 %"


def _about_quantity(rule: Test, quantity: Any) -> str:
    if quantity in rule.quantities:
        return ""
    known = quantity in ALL_QUANTITIES or quantity == "weights"
    why = f"does not go with test {quoted(rule.name)}" if known else f"is unknown{_near(quantity, rule.quantities)}"
    return f"{quoted(quantity)} {why}; it takes {', '.join(rule.quantities)}"


def _about_theory(rule: Test, theory: Any, quantity: Any) -> str:
    if theory is None:
        missing = 'is missing: the test compares with one; write for example theory = "he"'
        return missing if rule.theory == "required" else ""
    try:
        get_theory(theory)
    except ValueError as error:
        return f"is wrong: {error}"
    if rule.theory == "none":
        return f"does not go with test {quoted(rule.name)}, which compares with no prediction of a theory; leave it out"
    if rule.name == "identity":
        return _about_equal(quantity)
    if rule.name == "weights_law" and theory not in {"xavier", "he"}:
        return f"{quoted(theory)} prescribes no variance of the weights; use 'xavier' or 'he'"
    return ""


def _about_equal(quantity: Any) -> str:
    """Why a theory does not go with an exact claim about a quantity; empty if it does."""
    if quantity in _UNITS_ALIKE:
        return f"is not needed: with test 'identity' {quantity} is held against 0; leave it out"
    if quantity in _TRAINED:
        return (
            f"does not go with {quantity}: theories speak of networks at their start; write equals = 1 or leave it out"
        )
    return ""


def _about_value(rule: Test, equals: Any, quantity: Any, theory: Any) -> str:
    if rule.name != "identity":
        return f"goes with test 'identity' only, not with {quoted(rule.name)}"
    if quantity in _UNITS_ALIKE:
        return f"is not needed: with test 'identity' {quantity} is held against 0; leave it out"
    if theory is not None:
        return "and theory both say what networks are held against; keep one of the two"
    finite = isinstance(equals, int | float) and not isinstance(equals, bool) and math.isfinite(equals)
    return "" if finite else f"must be a finite number, got {quoted(equals)}; write for example equals = 1"


def _about_reason(rule: Test, reason: Any, quantity: Any) -> str:
    if rule.name != "identity":
        return f"goes with test 'identity' only, not with {quoted(rule.name)}"
    if reason not in REASONS:
        return f"{quoted(reason)} is no reason{_near(reason, REASONS)}"
    if quantity in REASONS[reason].quantities:
        return ""
    return (
        f"{quoted(reason)} says nothing of {quantity}, but of {', '.join(REASONS[reason].quantities)}; leave it out, and the claim is about "
        "a share of all networks"
    )


def _about_share(rule: Test, share: Any, reason: Any) -> str:
    if rule.name != "identity":
        return f"goes with test 'identity' only, not with {quoted(rule.name)}"
    if reason is not None:
        return "and reason do not go together: what holds for a reason holds in all networks; leave one of them out"
    if _positive(share) and share <= 1:
        return ""
    return f"must be a number > 0 and at most 1, got {quoted(share)}; write 0.99 for 99 % of all networks"


def _about_threshold(rule: Test, below: Any, above: Any) -> dict[str, str]:
    given = {name: value for name, value in (("below", below), ("above", above)) if value is not None}
    if rule.name not in BOUNDED:
        return dict.fromkeys(given, f"goes with tests {', '.join(BOUNDED)} only, not with {quoted(rule.name)}")
    what, example = ("a value of the quantity", 0.5) if rule.name == "level" else ("the factor per layer", 0.0625)
    if len(given) != 1:
        return {"below": f"or above must be given (one of them): {what}, as below = {example}"}
    return {
        name: f"must be a finite number > 0, got {quoted(value)}: it is {what}"
        for name, value in given.items()
        if not _positive(value)
    }


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def _is_range(layers: Any) -> bool:
    ints = isinstance(layers, tuple | list) and len(layers) == 2 and all(type(x) is int for x in layers)
    return ints and 1 <= layers[0] <= layers[1]


def _near(name: object, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def as_claim(given: Claim | Mapping[str, Any]) -> Claim:
    """Take a claim, or a mapping with its parts."""
    if isinstance(given, Claim):
        return given
    if not isinstance(given, Mapping):
        msg = f"a claim is a Claim or a mapping with its parts, got {quoted(given)}"
        raise TypeError(msg)
    try:
        return Claim(**given)
    except TypeError as error:
        msg = f"a claim needs id, quantity and test, and takes theory, statement, corrected, margin, expect, layers, below, above, equals, reason, share; got {quoted(given)}"
        raise ValueError(msg) from error
