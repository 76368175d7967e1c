"""Count the single units of many random networks into bins, layer by layer, without keeping them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array, RNGLike
from varprop.engine.plan import Plan, make_plan
from varprop.engine.propagate import propagate
from varprop.engine.rules import supported
from varprop.engine.signal import Signal, SignalRangeError, Streams
from varprop.model.histograms import Histograms, Scale, UnitCounts
from varprop.model.inputs import real_array
from varprop.model.network import Network, read_activations
from varprop.model.quantities import UnitQuantity
from varprop.model.sites import Place
from varprop.numerics.randomness import block_generator

_PER_DECADE = 20
_DECADES = (-307, 308)
_LOG_EDGES = 10.0 ** (np.arange(_DECADES[0] * _PER_DECADE, _DECADES[1] * _PER_DECADE + 1) / _PER_DECADE)
# Where an activation is looked at for its range: densely where most of them bend, then far out.
_PROBES = np.concatenate([np.linspace(-12, 12, 4801), *([-(2.0**k), 2.0**k] for k in range(4, 65))])


@checked
def histograms(
    network: Network,
    *,
    n_networks: int,
    rng: RNGLike,
    inputs: ArrayLike | int | None = None,
    bins: int = 100,
    activation_edges: ArrayLike | None = None,
    gradient_edges: ArrayLike | None = None,
    dtype: str = "float32",
) -> Histograms:
    r"""Sample random networks and count the activations and gradients of single units into bins, layer by layer.

    Parameters
    ----------
    network : Network
        What to sample.
    n_networks : int
        Number of networks, 1 to 10^9.
    rng : None, int, SeedSequence or Generator
        Seed. The networks are those that `simulate` samples with the same seed, inputs and dtype.
    inputs : None, int or array_like, shape (inputs, input_size)
        As in `simulate`; the units of all inputs are counted together.
    bins : int, default 100
        Number of bins over the range of bounded activations.
    activation_edges, gradient_edges : array_like, shape (edges,), optional
        Increasing edges of bins for the values themselves. Where None: activations that are all bounded get equal bins
        over their range, so that saturation shows at its ends; other activations, and gradients, are counted by their
        size \|value\|, in bins of a twentieth of a decade, since their scale drifts by decades over depth.
    dtype : {"float32", "float64"}
        Of the signals.

    Returns
    -------
    Histograms
        Exact zeros are counted apart: they would be a spike of no width, and a log scale has no place for them.

    Raises
    ------
    ValueError
        If an argument is out of its range, or a unit leaves the range of float64.
    UnsupportedError
        If the engine has no rule for a layer.
    TypeError
        If an argument is of another kind.

    References
    ----------
    .. [1] Glorot & Bengio (2010), AISTATS (PMLR 9), figures 6 and 7.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 6, activation="tanh", weights="xavier_normal")
    >>> found = vp.histograms(net, n_networks=100, rng=2010)
    >>> found.activations.edges[[0, -1]].tolist(), found.activations.counts.shape
    ([-1.0, 1.0], (5, 100))
    """
    if isinstance(bins, bool) or not hasattr(bins, "__index__") or not 2 <= bins <= 100_000:
        msg = f"bins must be an integer from 2 to 100000, got {quoted(bins)}; write for example bins=100"
        raise ValueError(msg)
    # Which quantity is named here changes no draw; none is read.
    plan = make_plan(
        network,
        n_networks=n_networks,
        rng=rng,
        inputs=inputs,
        quantities=["preactivation_second_moment"],
        dtype=dtype,
    )
    limits = _range(network)
    if activation_edges is not None:
        activation_bins = _Bins("linear", _checked("activation_edges", activation_edges))
    elif limits is None:
        activation_bins = _Bins("log", _LOG_EDGES)
    else:
        activation_bins = _Bins("linear", np.linspace(*limits, int(bins) + 1))
    if gradient_edges is None:
        gradient_bins = _Bins("log", _LOG_EDGES)
    else:
        gradient_bins = _Bins("linear", _checked("gradient_edges", gradient_edges))
    counter = _UnitCounter({"activation": activation_bins, "gradient": gradient_bins})
    _sample(plan, counter)
    has_activations = bool(read_activations(network, "the engine", supported()))
    return Histograms(
        network=network,
        n_networks=plan.n_networks,
        seed=plan.seed,
        activations=counter.result("activation") if has_activations else None,
        gradients=counter.result("gradient"),
    )


def _sample(plan: Plan, counter: _UnitCounter) -> None:
    """Send all networks of a plan past the counter, with the draws that `run_block` makes."""
    inputs = plan.inputs.astype(plan.dtype)
    for block in plan.blocks:
        rng = block_generator(plan.root, plan.words, block.index)
        streams = Streams(rng, dense=plan.method == "dense", normals=plan.normals)
        for done in range(0, block.networks, plan.tile):
            counter.networks = min(plan.tile, block.networks - done)
            propagate(plan.network, inputs, streams, networks=plan.tile, where={}, record=_nothing, watch=counter)


def _nothing(_quantity: str, _place: Place, _values: Float64Array) -> None:
    """Nothing is asked for."""


class _Bins:
    """Edges, and whether values or sizes are sorted into them."""

    def __init__(self, scale: Scale, edges: Float64Array) -> None:
        self.scale: Scale = scale
        self.edges = edges

    def count(self, values: Float64Array) -> NDArray[np.int64]:
        """Units below the edges, in each bin, and above; zeros left out."""
        sought = np.abs(values) if self.scale == "log" else values
        found = np.searchsorted(self.edges, sought, side="right")
        found[sought == self.edges[-1]] -= 1
        return np.bincount(found, minlength=len(self.edges) + 1)


class _UnitCounter:
    """What `propagate` shows every signal to: counts for each quantity and place, and nothing else kept."""

    def __init__(self, bins: dict[UnitQuantity, _Bins]) -> None:
        self.networks = 0
        """How many networks of the tile count."""
        self._bins = bins
        self._counts: dict[UnitQuantity, dict[Place, NDArray[np.int64]]] = {name: {} for name in bins}
        self._zeros: dict[UnitQuantity, dict[Place, int]] = {name: {} for name in bins}
        self._squares: dict[UnitQuantity, dict[Place, tuple[float, int]]] = {name: {} for name in bins}

    def __call__(self, quantity: UnitQuantity, place: Place, signal: Signal) -> None:
        values = _true(signal, self.networks, f"{quantity} of layer {place[0]}")
        alive = values[values != 0]
        counts = self._bins[quantity].count(alive)
        self._counts[quantity][place] = self._counts[quantity].get(place, 0) + counts
        self._zeros[quantity][place] = self._zeros[quantity].get(place, 0) + values.size - alive.size
        total, units = self._squares[quantity].get(place, (0.0, 0))
        self._squares[quantity][place] = total + _sum_of_squares(signal, self.networks), units + values.size

    def result(self, quantity: UnitQuantity) -> UnitCounts:
        """All that was counted of one quantity, a log scale cut to where units are."""
        bins, places = self._bins[quantity], tuple(sorted(self._counts[quantity]))
        table = np.stack([self._counts[quantity][place] for place in places])
        below, counts, above = table[:, 0], table[:, 1:-1], table[:, -1]
        edges = bins.edges
        if bins.scale == "log":
            used = np.flatnonzero(counts.any(axis=0))
            first, last = (int(used[0]), int(used[-1])) if used.size else (0, 0)
            counts, edges = counts[:, first : last + 1], edges[first : last + 2]
        return UnitCounts(
            quantity=quantity,
            scale=bins.scale,
            edges=edges,
            places=places,
            counts=counts,
            zeros=np.array([self._zeros[quantity][place] for place in places], dtype=np.int64),
            below=below,
            above=above,
            second_moments=np.array([total / units for total, units in (self._squares[quantity][p] for p in places)]),
        )


def _true(signal: Signal, networks: int, what: str) -> Float64Array:
    """Every unit of the first networks at its true scale, in one line, in float64."""
    values = signal.values[:networks].astype(np.float64)
    if signal.exponent is not None:
        true = np.ldexp(values, signal.exponent[:networks, None, None])
        if not np.isfinite(true).all() or ((true == 0) & (values != 0)).any():
            msg = f"{what}: a unit left the range of float64 (1e-308 to 1e308); use fewer layers or other weights"
            raise SignalRangeError(msg)
        values = true
    return values.ravel()


def _sum_of_squares(signal: Signal, networks: int) -> float:
    """Over all units of the first networks, at their true scale."""
    return float(signal.second_moment()[:networks].sum()) * signal.units


def _range(network: Network) -> tuple[float, float] | None:
    """Lowest and highest value of a network's activations, None if any is unbounded or there is none."""
    ends = []
    for phi in set(read_activations(network, "the engine", supported())):
        with np.errstate(all="ignore"):
            a = phi(_PROBES)
        # What is bounded has reached its bounds, or all but, where the probes end.
        if not np.isfinite(a).all() or np.abs(a).max() > 2.0**8:
            return None
        ends.append((float(a.min()), float(a.max())))
    if not ends:
        return None
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return (low, high) if low < high else None


def _checked(name: str, edges: ArrayLike) -> Float64Array:
    given = real_array(edges, name)
    if given.ndim != 1 or len(given) < 2 or not np.isfinite(given).all() or not (np.diff(given) > 0).all():
        msg = f"{name} must be two or more finite, increasing numbers, got {quoted(edges)}; write for example np.linspace(-1, 1, 41)"
        raise ValueError(msg)
    return given
