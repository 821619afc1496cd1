"""The form of a network."""

from __future__ import annotations

from typing import NamedTuple


class Architecture(NamedTuple):
    """The sizes of a network h2 = act(x w1 + b1) w2 + b2, its activation and its biases.

    Attributes
    ----------
    n_in, n_hidden, n_out : int
        Numbers of inputs, hidden units and outputs.
    negative_slope : float
        Slope of the activation below 0; 0 is ReLU.
    hidden_bias, output_bias : bool
        Whether b1 and b2 are trained; otherwise they are 0.
    """

    n_in: int
    n_hidden: int
    n_out: int
    negative_slope: float = 0.0
    hidden_bias: bool = True
    output_bias: bool = True

    @property
    def trained(self) -> dict[str, bool]:
        """Whether each group of parameters is trained, by its name."""
        return {"w1": True, "b1": self.hidden_bias, "w2": True, "b2": self.output_bias}
