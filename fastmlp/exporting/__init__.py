"""A net in other formats: ONNX, PyTorch, C, a table of a piecewise-linear curve. One format per file.

May import `nets`, `files`, `checks` and `engines`.
"""
