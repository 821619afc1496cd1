"""Benchmarks: the suite of airspeed velocity (bench_*.py), and programs to run with `python -m benchmarks.NAME`.

One BLAS thread, set before NumPy is imported. Under asv every commit compiles into a cache of its own: an environment
is used for many commits, and the cache does not go with the package when that is uninstalled.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
if "ASV_COMMIT" in os.environ:
    cache = Path(tempfile.gettempdir(), f"fastmlp-asv-{os.getuid()}", os.environ["ASV_COMMIT"])
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))  # not its parent: asv's commit is to be imported
