"""The compiled functions of the dense engines.

`epochs` is the loop over epochs, `parts` divides its work among threads, `optimizer` updates the weights. `few_inputs`
and `many_inputs` are the two kernels: forward and backward pass, gradient, and the compiled function `train`. May
import `fastmlp.compiled` and `fastmlp.engines.adam`.
"""
