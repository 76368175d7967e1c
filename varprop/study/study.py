"""A study as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from varprop._arguments import checked
from varprop.engine.plan import Plan, make_plan
from varprop.engine.training import INPUTS, make_training_plan
from varprop.model.cards import card, count
from varprop.model.inputs import Training
from varprop.study.configurations import Configuration
from varprop.study.sweep import Sweep
from varprop.verification.claims import Claim


@dataclass(frozen=True, slots=True)
class Scope:
    """A claim, and the labels of the configurations it is about."""

    claim: Claim
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Study:
    """A question as data: networks to sample, and claims about them.

    Parameters
    ----------
    name : str
        The file's stem; the run's folder is called so.
    title : str
        One line for people.
    seed : int
        Fixes every draw, together with what is sampled.
    networks : int
        Networks per configuration; at most as many if stopping is sequential.
    alpha : float
        Chance of any false verdict in the whole study.
    stopping : {"fixed", "sequential"}
        Whether all networks are sampled, or of each configuration only as many as its claims take to be decided.
    looks : int, or None
        1 if claims are looked at once, with all of alpha; None if they may be again, on a ladder with shares of it.
    inputs : int, tuple of tuple of float, or None
        As the keyword of `varprop.simulate`.
    quantities : tuple of str, or None
        As the keyword of `varprop.simulate`.
    dtype, method, normals : str
        As the keywords of `varprop.simulate`.
    training : Training, optional
        Steps of gradient descent, of a study of networks that are trained.
    configurations : tuple of Configuration
        In the order of the grid, each taken through the sweep's values.
    sweep : Sweep, or None
        The variable that is taken through values.
    scopes : tuple of Scope
        Every claim (one per quantity) with the configurations it is about.
    figures : tuple of str, or None
        What the report shows; None leaves it to the report.
    text : str
        The file, as it was read.
    """

    name: str
    title: str
    seed: int
    networks: int
    alpha: float
    stopping: Literal["fixed", "sequential"]
    looks: int | None
    inputs: int | tuple[tuple[float, ...], ...] | None
    quantities: tuple[str, ...] | None
    dtype: str
    method: str
    normals: str
    training: Training | None
    configurations: tuple[Configuration, ...]
    sweep: Sweep | None
    scopes: tuple[Scope, ...]
    figures: tuple[str, ...] | None
    text: str

    def __repr__(self) -> str:
        return f"Study({self.name!r}: {len(self.configurations)} configurations, {len(self.scopes)} claims)"

    def _repr_html_(self) -> str:
        return _card(self)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim, one per quantity, in the file's order."""
        return tuple(scope.claim for scope in self.scopes)

    @property
    def n_inputs(self) -> int:
        """Number of inputs that every network sees."""
        return len(self.inputs) if isinstance(self.inputs, tuple) else self.inputs or 1

    @checked
    def plan(self, configuration: Configuration, *, networks: int | None = None) -> Plan:
        """Return what the engine will draw for one configuration; several inputs are kept apart, for the step tests.

        ``networks`` takes the place of the study's own number.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        """
        n_networks = self.networks if networks is None else networks
        if self.training is not None:
            return make_training_plan(
                configuration.network,
                self.training,
                n_networks=n_networks,
                rng=self.seed,
                inputs=self.inputs or INPUTS,
                quantities=self.quantities,
            )
        return make_plan(
            configuration.network,
            n_networks=n_networks,
            rng=self.seed,
            inputs=self.inputs,
            quantities=self.quantities,
            per_input=self.n_inputs > 1,
            method=self.method,
            dtype=self.dtype,
            normals=self.normals,
        )

    @checked
    def claims_about(self, label: str) -> tuple[Claim, ...]:
        """Return the claims about one configuration.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        """
        return tuple(scope.claim for scope in self.scopes if label in scope.labels)


def _card(study: Study) -> str:
    """What a notebook shows of a study: what it samples, and a row for each claim."""
    facts = {"networks": f"{study.networks:,} of each configuration", **facts_of(study)}
    rows = [
        (scope.claim.id, statement_of(scope), held_against(scope), scope.claim.expect or "") for scope in study.scopes
    ]
    return card(f"Study: {study.title}", facts, ("claim", "statement", "test", "expected"), rows)


def facts_of(study: Study) -> dict[str, object]:
    """What a card says of a study's configurations and draws."""
    labels = [configuration.label for configuration in study.configurations]
    shown = "; ".join(labels[:6]) + (f"; … ({len(labels) - 6} more)" if len(labels) > 6 else "")
    return {"configurations": f"{len(labels)}: {shown}", "seed": study.seed, "method": study.method}


def statement_of(scope: Scope) -> str:
    """A claim in words, or what it is about."""
    return scope.claim.statement or f"{scope.claim.quantity}, {count(len(scope.labels), 'configuration')}"


def held_against(scope: Scope) -> str:
    """A claim's test, quantity and theory."""
    claim = scope.claim
    return f"{claim.test} of {claim.quantity}" + (f", {claim.theory}" if claim.theory else "")
