"""A net in the formats of others: ONNX, PyTorch, C, a piecewise-linear table.

May import `nets`, `files`, `checks` and `engines`.
"""
