"""What to try when training diverges or its error rises, in the words of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.starting.config import FitConfig
    from fastmlp.starting.rate import Rate

SMALLER = 4  # the rate that is proposed is so many times smaller


def remedy(config: FitConfig, lr: Rate | None, *, is_divergence: bool) -> str:
    """Return a sentence with the options that are likely to help.

    Parameters
    ----------
    config : FitConfig
        The fit.
    lr : float, dict, callable or None
        Its rate; of the automatic rate, the largest.
    is_divergence : bool
        Whether the fit diverged. If not, its error rose.
    """
    if callable(lr):
        rates = "Let lr return smaller rates"
    elif isinstance(lr, float):
        rates = f"Use a smaller lr, such as lr={lr / SMALLER:.2g}"
    else:
        rates = "Use smaller rates"
    # The automatic rate begins with that of "constant", unless there is momentum.
    falls_short = is_divergence and not config.rule.momentum
    if config.lr_rule == "auto" or config.keeps_lr or (config.lr_rule == "constant" and falls_short):
        first = rates
    else:
        first = f'{rates}, or lr="auto"'
    others = {
        "less momentum": config.rule.momentum > 0,
        "less weight_decay": bool(config.rule.weight_decay),
        "a larger batch_size": config.rule.batch_size is not None,
        "standardize=True": not config.standardize,
    }
    applying = " or ".join(other for other, applies in others.items() if applies)
    return f"{first}; {applying} may also help." if applying else f"{first}."
