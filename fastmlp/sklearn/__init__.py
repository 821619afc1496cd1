"""Scikit-learn estimators; they require the extra ``fastmlp[sklearn]``.

`fastmlp.fit` trains and checks the options. This package adds the parameters, attributes and data checks that users of
scikit-learn expect.
"""

from fastmlp.sklearn import onnx_converter
from fastmlp.sklearn.cross_validated import FastMLPRegressorCV
from fastmlp.sklearn.regressor import FastMLPRegressor

__all__ = ["FastMLPRegressor", "FastMLPRegressorCV"]

onnx_converter.register(FastMLPRegressor, FastMLPRegressorCV)
