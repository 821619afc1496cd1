"""GIF animations of nets."""

from __future__ import annotations

import os
from collections.abc import Sequence

from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

from fastmlp.files.atomic import replacing
from fastmlp.nets.net import Net
from fastmlp.showing.net_plot import draw_net, output_range, samples_to_plot
from fastmlp.showing.plot_range import input_limits, with_margin

HELD_SECONDS = 1.0  # for which the last frame is shown in addition


def write_gif(
    frames: Sequence[tuple[int, Net]], path: str | os.PathLike[str], x: object, y: object, *, fps: float
) -> None:
    """Write a GIF with a plot of each net, all within the same limits, titled with its epoch and its RMSE on x and y.

    Parameters
    ----------
    frames : sequence of (int, Net)
        Epochs and nets.
    path : str or os.PathLike
        Name of the file, which is replaced once the new one is complete.
    x, y : array_like or None
        Samples, as in `Model.plot`.
    fps : float
        Frames per second.
    """
    net = frames[-1][1]
    limits, data = input_limits(net, x), samples_to_plot(net, x, y)
    output_limits = output_range([net for _, net in frames], limits, data)
    figure = Figure(figsize=(6.4, 4.8))  # a layout engine would change the margins from frame to frame
    writer = PillowWriter(fps=fps)  # type: ignore[arg-type]  # a float is accepted
    with replacing(path) as temporary, writer.saving(figure, temporary, dpi=100):
        for epoch, net in frames:
            figure.clear()
            ax = figure.subplots()
            draw_net(ax, net, limits, data, output_limits)
            if net.n_in == 1:
                ax.set_ylim(with_margin(*output_limits))
            error = "" if data is None else f", RMSE {net.rmse(data.x, data.y):.3g}"
            ax.set_title(f"epoch {epoch:,}{error}")
            writer.grab_frame()
        for _ in range(round(HELD_SECONDS * fps)):
            writer.grab_frame()
