"""Time before the first epoch of a process: imports, and compiling or loading from the compile cache."""

X = {"one input": "range(100)", "several inputs": "[[i, i % 7] for i in range(100)]"}
COLD = """
import os, tempfile
folder = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = folder.name
"""
WARM = """
import subprocess, sys
subprocess.run([sys.executable, "-c", '''import fastmlp; {fit}'''], check=True)
"""


def timeraw_import():
    """Import the package."""
    return "import fastmlp"


timeraw_import.pretty_name = "import fastmlp"


def timeraw_import_numba():
    """Import Numba, which every first fit needs, for comparison."""
    return "import numba"


timeraw_import_numba.pretty_name = "import numba"


class FirstFit:
    """The first fit of a process, including imports."""

    params = (list(X),)
    param_names = ("data",)
    timeout = 300
    rounds = 1
    repeat = 3

    def timeraw_cold_cache(self, data):
        """Compile all kernels that the fit needs."""
        return f"import fastmlp; {first_fit(data)}", COLD

    timeraw_cold_cache.pretty_name = "first fit of a process, nothing compiled"

    def timeraw_warm_cache(self, data):
        """Load the kernels that an earlier process compiled."""
        return f"import fastmlp; {first_fit(data)}", WARM.format(fit=first_fit(data))

    timeraw_warm_cache.pretty_name = "first fit of a process, all compiled"


def first_fit(data):
    """Return the source of a fit with 1000 units and ten epochs."""
    return f"fastmlp.fit({X[data]}, range(100), epochs=10, rng=0, progress=False)"
