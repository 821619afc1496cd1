"""Cross-validated fits of small nets: `fastmlp.fit_cv`, one step of its recipe in each module."""
