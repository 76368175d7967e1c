"""A claim: what is said of one quantity, against which theory, by which test, within which margin."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from varprop._arguments import check_fields, quoted
from varprop.model.names import hint
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats.equivalence import MARGINS, Decision
from varprop.theory import get_theory
from varprop.verification.questions import Evidence, Question
from varprop.verification.reasons import REASONS

VERDICTS: tuple[Decision, ...] = get_args(Decision)
SYMBOLS: dict[str, str] = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}
"""A verdict is never told by colour alone; in this order verdicts are listed."""


MarginUnit = Literal["ratio", "root mean square", "distance", "share"]
"""What a margin of 0.05 allows: estimates from 1/1.05 to 1.05 of the prediction (of weights also means of 0.05 standard deviations and
distances of 0.05), means of 0.05 root mean squares, Kolmogorov distances of 0.05, or shares of networks that differ by 0.05."""


Extent = Literal["every layer", "one number", "whole law"]
"""What a claim is about: a number in every layer, each of which has to be right, one number, or laws, layer by layer."""


@dataclass(frozen=True, slots=True)
class StatedBound:
    """What a claim's ``below`` or ``above`` is, with an example of one, and how it is told ("below 0.5 a layer")."""

    what: str
    example: float
    told: str = ""


@dataclass(frozen=True, slots=True)
class Null:
    """What a test is asked when it is calibrated.

    Parameters
    ----------
    quantity : str
        What it is about.
    reads : tuple of str
        Everything that it reads.
    theory : str, optional
        What it is held against.
    last_layer : bool
        Whether the claim is about the last layer alone, so that its p-value is that of one test.
    exact : {"steps", "products", "norms", "always", "never"}
        Where the null holds to the last digit: of single steps, of products of steps, where the law of norms is known,
        wherever the test takes the network, or nowhere that one could tell without looking at the activation.
    estimates : bool
        Whether the answer is an estimate of one number with its interval, and not a statement about a whole law or about
        several layers.
    sides : bool
        Whether what is false may be too low or too high, each with a p-value of its own.
    level : {"exact", "at most"}
        Whether the p-value is uniform under the null, or as a discrete one at most as small as it says.
    bound : callable, optional
        From a network to the bound of a claim that states one: the truth where it is exact.
    """

    quantity: str
    reads: tuple[str, ...]
    theory: str | None = None
    last_layer: bool = False
    exact: Literal["steps", "products", "norms", "always", "never"] = "always"
    estimates: bool = True
    sides: bool = True
    level: Literal["exact", "at most"] = "exact"
    bound: Callable[[Network], float] | None = None


class Test(ABC):
    """What a claim may name as its test: one class, in the file of its family in `varprop.verification.tests`.

    All that verdicts, plans, sequential looks, calibration, tables and pages have to know of a test is an attribute here; no
    other part asks for a test by its name.

    Attributes
    ----------
    name, meaning : str
        As a claim names it, and what it tests in words.
    quantities : tuple of str
        On which it works.
    theory : {"required", "optional", "none"}
        Whether it compares with a prediction that the claim has to name.
    margin : MarginUnit, optional
        Of what a claim's margin is a measure; None where there is no margin.
    point_null : bool
        Whether the null is exact, so that its p-value counts as such, and not only whether the truth lies within a margin.
    scope : Extent
        What a claim is about.
    bound : StatedBound, optional
        Of a test of a claim that states one.
    equality : bool
        Whether a claim is one of equality, which may hold for a reason.
    held_against_zero : tuple of str
        Quantities whose value it knows: they are 0.
    watched : bool
        Whether it is asymptotically about means over networks, and so judged at every look of a sequential study.
    own_draws : bool
        Whether it draws a sample of its own. Then it is judged once, at the first look; others that are not watched, at the last.
    whole : bool
        Whether it reads a sample as a whole, and so answers at once.
    single_look : str
        What its note says that holds at a single look alone.
    any_number : str
        Why any number of networks decides, where it does.
    absolute : bool
        Whether the level of what it compares counts, and not only that it stays the same from layer to layer.
    between : bool
        Whether it is about what lies between the first layer and the last, and not about the first, too.
    standardised : bool
        Whether its estimates are in units of a standard deviation where there is no ratio to a prediction of 0.
    null : Null, optional
        What it is asked when it is calibrated; None of a test without an error of chance in networks.
    """

    name: str
    meaning: str
    quantities: tuple[str, ...]
    theory: Literal["required", "optional", "none"] = "none"
    margin: MarginUnit | None = None
    point_null: bool = False
    scope: Extent = "every layer"
    bound: StatedBound | None = None
    equality: bool = False
    held_against_zero: tuple[str, ...] = ()
    watched: bool = False
    own_draws: bool = False
    whole: bool = False
    single_look: str = ""
    any_number: str = ""
    absolute: bool = False
    between: bool = False
    standardised: bool = False
    null: Null | None = None

    __test__ = False  # not one of pytest's

    @abstractmethod
    def ask(self, claim: Claim, simulation: Simulation) -> Evidence | Question[Evidence]:
        """Give the evidence for and against a claim, or the question whose answer that is, which takes a sample piece by piece.

        Raises
        ------
        ValueError
            If the sample lacks what the test needs, or the test is not valid on it.
        """

    def theory_problem(self, _theory: str, _quantity: Any) -> str:
        """Say why a theory that there is does not go with a claim about a quantity; empty if it does."""
        return ""


TESTS: dict[str, Test] = {}
"""By name, in the order in which they are listed; the families in `varprop.verification.tests` fill it."""

Kind = TypeVar("Kind", bound=type[Test])


def register(kind: Kind) -> Kind:
    """Let claims name a test."""
    TESTS[kind.name] = kind()
    return kind


_BOUNDS = (1e-150, 1e150)
"""Of what a claim may state as one: the square of it and of its inverse are numbers."""
SHARE = 0.99
"""Of all networks, where an exact claim that names no reason states no other."""


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
    expect: Decision | None = None
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
        """Tell whether a claim is about a place."""
        return self.layers is None or self.layers[0] <= place[0] <= self.layers[1]

    @property
    def counts(self) -> bool:
        """Whether a verdict on the claim may be false by chance, so that it takes its part of alpha.

        False of an ``identity`` that holds for a reason, and of one about all networks, which one exception refutes and nothing
        supports.
        """
        return not self.rule.equality or (self.reason is None and self.least_share < 1.0)

    @property
    def rule(self) -> Test:
        """The test that the claim names."""
        return TESTS[self.test]

    @property
    def least_share(self) -> float:
        """Share of the networks in which an ``identity`` claim without a reason says to hold."""
        return SHARE if self.share is None else self.share

    @property
    def direction(self) -> Literal["below", "above"]:
        """Side of its bound on which a claim with one says that the truth lies."""
        return "above" if self.below is None else "below"

    @property
    def bound(self) -> float:
        """Factor per layer, or value, that a claim with a bound states; NaN of others."""
        given = self.above if self.below is None else self.below
        return math.nan if given is None else given

    @property
    def log_margin(self) -> float:
        """Half-width of the margin on the scale of a ratio's logarithm."""
        return math.log1p(self.margin)

    @property
    def half_width(self) -> float:
        """Half-width of the margin on the scale of the test's estimate: a logarithm where the margin is that of a ratio."""
        return self.log_margin if self.rule.margin == "ratio" else self.margin

    @property
    def shown_margin(self) -> float:
        """Margin as tables have it; NaN where the test has none."""
        return math.nan if self.rule.margin is None else self.margin


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
        return {"test": f"{quoted(test)} is unknown{hint(test, TESTS)}"}
    rule = TESTS[test]
    said = {
        "quantity": _about_quantity(rule, quantity),
        "theory": _about_theory(rule, theory, quantity),
        "margin": _about_margin(margin),
        "expect": "" if expect in (None, *VERDICTS) else f"{quoted(expect)} is no verdict{hint(expect, VERDICTS)}",
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
    why = f"does not go with test {quoted(rule.name)}" if known else f"is unknown{hint(quantity, rule.quantities)}"
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
    return rule.theory_problem(theory, quantity)


def _about_value(rule: Test, equals: Any, quantity: Any, theory: Any) -> str:
    if not rule.equality:
        return _not_with(rule)
    if quantity in rule.held_against_zero:
        return f"is not needed: with test {quoted(rule.name)} {quantity} is held against 0; leave it out"
    if theory is not None:
        return "and theory both say what networks are held against; keep one of the two"
    finite = isinstance(equals, int | float) and not isinstance(equals, bool) and math.isfinite(equals)
    return "" if finite else f"must be a finite number, got {quoted(equals)}; write for example equals = 1"


def _about_reason(rule: Test, reason: Any, quantity: Any) -> str:
    if not rule.equality:
        return _not_with(rule)
    if reason not in REASONS:
        return f"{quoted(reason)} is no reason{hint(reason, REASONS)}"
    if quantity in REASONS[reason].quantities:
        return ""
    return (
        f"{quoted(reason)} says nothing of {quantity}, but of {', '.join(REASONS[reason].quantities)}; leave it out, and the claim is about "
        "a share of all networks"
    )


def _about_share(rule: Test, share: Any, reason: Any) -> str:
    if not rule.equality:
        return _not_with(rule)
    if reason is not None:
        return "and reason do not go together: what holds for a reason holds in all networks; leave one of them out"
    if _positive(share) and share <= 1:
        return ""
    return f"must be a number > 0 and at most 1, got {quoted(share)}; write 0.99 for 99 % of all networks"


def _not_with(rule: Test) -> str:
    equal = ", ".join(repr(test.name) for test in TESTS.values() if test.equality)
    return f"goes with test {equal} only, not with {quoted(rule.name)}"


def _about_threshold(rule: Test, below: Any, above: Any) -> dict[str, str]:
    given = {name: value for name, value in (("below", below), ("above", above)) if value is not None}
    if rule.bound is None:
        bounded = ", ".join(test.name for test in TESTS.values() if test.bound)
        return dict.fromkeys(given, f"goes with tests {bounded} only, not with {quoted(rule.name)}")
    what = rule.bound.what
    if len(given) != 1:
        return {"below": f"or above must be given (one of them): {what}, as below = {rule.bound.example}"}
    return {
        name: f"must be a number > 0, between {_BOUNDS[0]:g} and {_BOUNDS[1]:g}, got {quoted(value)}: it is {what}"
        for name, value in given.items()
        if not (_positive(value) and _BOUNDS[0] <= value <= _BOUNDS[1])
    }


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def _is_range(layers: Any) -> bool:
    ints = isinstance(layers, tuple | list) and len(layers) == 2 and all(type(x) is int for x in layers)
    return ints and 1 <= layers[0] <= layers[1]


def as_claim(given: Claim | dict[str, Any]) -> Claim:
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
