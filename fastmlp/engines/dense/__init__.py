"""The compiled engine for any number of inputs and outputs: it visits every sample and every unit in each epoch.

`engine` lays the data out and holds the arrays; `few_inputs` and `many_inputs` are the two kernels.
"""
