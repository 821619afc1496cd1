"""The compiled engines for any number of inputs and outputs. Their work per epoch is n_samples times n_hidden.

`choice` chooses between two engines: `few_inputs` vectorises over samples, `many_inputs` over hidden units. Both derive
from `engine` and decide how weights and samples lie in memory; `kernels` has the compiled functions. May import
`fastmlp.compiled` and `fastmlp.engines.engine`.
"""
