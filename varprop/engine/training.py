"""Train many small networks at once by a few steps of gradient descent, and record what became of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked
from varprop._typing import Float64Array, RNGLike
from varprop.engine.descent import Task, dense_sites, product
from varprop.engine.executors import ExecutorLike
from varprop.engine.plan import (
    Plan,
    check_memory,
    check_networks,
    describe_rows,
    make_inputs,
    round_sizes,
    sizes,
)
from varprop.engine.propagate import places
from varprop.engine.simulate import sample
from varprop.model.inputs import Training, real_array
from varprop.model.network import Network
from varprop.model.quantities import TRAINING_QUANTITIES, check_quantities
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.numerics.randomness import DRAWS_VERSION, root_sequence, teacher_generator

INPUTS = 16
"""Random inputs of a regression task, unless a number or the inputs themselves are given."""
_TILE_SIGNALS = (
    2**12
)  # numbers in one layer's signal of a tile: with fewer NumPy's cost per call shows, with more the cache's
_COPIES = 6  # of all weights: start, now, gradient, its terms, and transposes


@checked
def train(
    network: Network,
    *,
    steps: int,
    learning_rate: float,
    n_networks: int,
    rng: RNGLike,
    train_biases: bool = True,
    inputs: ArrayLike | int = INPUTS,
    targets: ArrayLike | None = None,
    quantities: Iterable[str] | None = None,
    executor: ExecutorLike = None,
    progress: Callable[[int], object] | None = None,
) -> Simulation:
    r"""Train random networks by full-batch gradient descent, in float64, and record what became of their weights.

    This is no training framework: the few steps show what an initialisation does to the weights that follow from it, such
    as whether units that start alike ever come to differ.

    Parameters
    ----------
    network : Network
        Laws of the start. The loss acts on the output of the last layer with weights; an activation after it has no part.
    steps : int
        Steps of gradient descent, 1 to 10,000.
    learning_rate : float
        What gradients are multiplied with, > 0.
    n_networks : int
        Number of networks, 1 to 10^9.
    rng : None, int, SeedSequence or Generator
        Seed, as in `varprop.simulate`.
    train_biases : bool, default True
        Whether biases are trained too. If not they stay what they were at the start: with zeros, the network has none.
    inputs : int or array_like, shape (inputs, input_size), default 16
        A number of Gaussian inputs of mean square 1, the same for all networks, or the inputs.
    targets : array_like, shape (inputs, outputs), optional
        What to compute. If None :math:`y = M x` without noise, entries of M being N(0, 1 / input_size), from a stream of
        their own: the same for all networks.
    quantities : iterable of str, optional
        Names of `varprop.model.quantities.TRAINING_QUANTITIES`; all that exist if None.
    executor : None, "serial", "threads", "processes" or concurrent.futures.Executor
        Where blocks run. None is serial for short work, else worker processes.
    progress : callable, optional
        Called with the number of networks that were just finished.

    Returns
    -------
    Simulation
        Variances over units at the start; per weight layer the most and the fewest different rows and columns of W over all
        steps, and how much weights and biases changed; the loss before and after.

    Raises
    ------
    ValueError
        If an argument is out of its range, or training leaves the range of float64.
    BrokenExecutor
        If an executor that was handed in loses its workers, or worker processes keep dying.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The loss is the mean of :math:`(z - y)^2` over inputs and outputs. Sums over units and over inputs add up their terms in one
    order, first to last, whatever the shape and wherever a unit stands, and no BLAS takes part: units that are equal stay
    equal to the last bit, so rows are compared without a tolerance.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([5, 100, 100, 2], activation="tanh", weights={"name": "constant", "value": 0.01})
    >>> sim = vp.train(net, steps=20, learning_rate=0.1, n_networks=2, rng=1)
    >>> sim.values("most_distinct_rows").tolist()
    [[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]]
    >>> bool((sim.values("weight_change") > 0).all())
    True
    """
    training = Training(steps=steps, learning_rate=learning_rate, train_biases=train_biases)
    plan = make_training_plan(
        network, training, n_networks=n_networks, rng=rng, inputs=inputs, targets=targets, quantities=quantities
    )
    return sample(plan, executor, progress)


def make_training_plan(
    network: Network,
    training: Training,
    *,
    n_networks: int,
    rng: RNGLike,
    inputs: ArrayLike | int = INPUTS,
    targets: ArrayLike | None = None,
    quantities: Iterable[str] | None = None,
) -> Plan:
    """Check the arguments and fix what will be drawn and trained; the arguments are those of `train`."""
    check_networks(n_networks)
    root = root_sequence(rng)
    x = make_inputs(inputs, network, root)
    drawn, signals = sizes(network, len(x), dense=True)
    check_memory(8 * (_COPIES * drawn + 4 * signals), len(x), "narrower layers or fewer inputs")
    y = _targets(targets, x, network, root)
    cost = drawn * (1 + training.steps * len(x)) + 2 * signals
    tile, block = round_sizes(_TILE_SIGNALS // (len(x) * max(network.widths)), cost)
    names = check_quantities(quantities, known=TRAINING_QUANTITIES)
    where = {name: found for name in names if (found := _places(network, name, inputs=len(x)))}
    if not where:
        msg = f"none of the asked quantities ({', '.join(names)}) exists in this network"
        raise ValueError(msg)
    content = {
        "network": network.describe(),
        "training": training.describe(),
        "inputs": describe_rows(inputs, x),
        "targets": "linear" if targets is None else describe_rows(y, y),
        "dtype": "float64",
        "method": "trained",
        "normals": "ziggurat",
        "tile": tile,
        "block": block,
        "draws_version": DRAWS_VERSION,
    }
    return Plan(
        network=network,
        inputs=x,
        n_networks=int(n_networks),
        root=root,
        dtype="float64",
        method="trained",
        normals="ziggurat",
        per_input=False,
        where=where,
        tile=tile,
        block=block,
        content=content,
        task=Task(training, y),
    )


def _targets(
    targets: ArrayLike | None, x: Float64Array, network: Network, root: np.random.SeedSequence
) -> Float64Array:
    """What every network is to compute, shape (inputs, outputs)."""
    shape = (len(x), network.widths[-1])
    if targets is None:
        teacher = teacher_generator(root).standard_normal((x.shape[1], shape[1])) / np.sqrt(x.shape[1])
        # Without BLAS, so that a task does not depend on the kernel it picks for a processor.
        linear: Float64Array = product(x[None], teacher[None])[0]
        return linear
    y = real_array(targets, "targets")
    if y.shape != shape:
        msg = f"targets must be an array of shape {shape} (inputs, outputs), got shape {y.shape}"
        raise ValueError(msg)
    if not np.isfinite(y).all():
        msg = "targets must be finite; drop or fill NaN and infinity first"
        raise ValueError(msg)
    return y


def _places(network: Network, quantity: str, *, inputs: int) -> tuple[Place, ...]:
    """(layer, module) of every place at which a quantity of trained networks exists."""
    if quantity in ("preactivation_variance", "activation_variance"):
        return places(network, quantity, inputs=inputs)
    sites = dense_sites(network)
    if TRAINING_QUANTITIES[quantity].place == "loss":
        sites = sites[-1:]
    if quantity == "loss_gradient_variance":
        sites = tuple(site for site in sites if site.output_shape != (1,))
    return tuple(site.place for site in sites)
