"""What the index says to a reader who knows nothing of it, before and after the ledger."""

from __future__ import annotations

INTRODUCTION = (
    (
        "Before a neural network is trained, its weights are drawn at random. If they are drawn too small, the signal fades "
        "from layer to layer; if too large, it explodes; and the gradient, by which the network is to learn, does so on its way "
        "back. The initialisations of Xavier and He choose the variance of the weights so that neither happens. This page takes "
        "what is said of them, statement by statement, and holds it against measurements."
    ),
    (
        "Each statement is tested on many random networks, which are not trained unless a study says so. What is measured in "
        "them is compared with what the statement predicts, and the verdict follows from a margin that was declared beforehand. "
        "Where a statement turns out wrong, the row also says what holds instead."
    ),
)

TERMS = (
    (
        "Measured/predicted",
        (
            "What was measured, divided by what the statement predicts: 1 where it is exactly right, 2 where the truth is twice "
            "as large. Of all tests with the row’s verdict the one farthest from 1 is shown, its confidence interval in brackets."
        ),
    ),
    (
        "Margin",
        "How far from the prediction still counts as agreement. ±5 % means from 1/1.05 to 1.05 times what is predicted.",
    ),
    ("Supported ✓", "The truth lies within the margin, as far as the interval tells."),
    (
        "Refuted ✗",
        "The truth lies outside the margin. A statement about several networks is refuted if it is wrong of one of them.",
    ),
    ("Inconclusive ?", "So many networks cannot tell. That says nothing about the statement."),
    (
        "Error rate",
        (
            "In each study the chance that even one “supported” or “refuted” is wrong is at most alpha, which is 5 % unless the "
            "study says another."
        ),
    ),
    (
        "Jointly",
        (
            "The verdict also holds at the level at which all verdicts of this page share one alpha. Without the word it holds in "
            "its own study alone."
        ),
    ),
    (
        "Figure",
        (
            "A line for each test: the mark is measured/predicted, the bar its interval, the shaded band the margin, the vertical "
            "line a prediction that is exactly right. Circle: supported; cross: refuted; diamond: inconclusive. An arrow points "
            "to what lies beyond the axis."
        ),
    ),
)

NOTATION = (
    ("l = 1 … L", "layers that have weights, counted from the input"),
    ("z = W a + b", "pre-activations of a layer: weights W times the activations a of the layer below, plus biases b"),
    ("a = φ(z)", "activations of a layer; φ is the activation function, such as ReLU or tanh"),
    ("δ = dLoss/dz", "gradient of the loss with respect to the pre-activations; it travels from the last layer back"),
    ("n_in, n_out", "fan-in and fan-out: how many inputs and outputs a layer has"),
    ("Var(W)", "variance of one weight. Xavier: 2/(n_in + n_out); He: 2/n_in"),
    ("z², a², δ²", "mean squares (second moments) over the units of a layer"),
    ("var z, var a, mean a", "variance and mean over the units of a layer"),
    ("z²/v", "mean square of z over the variance that z has, given the layer below"),
    ("256x20", "a network with 20 layers of 256 units; 512-128x20 alternates between 512 and 128"),
)
