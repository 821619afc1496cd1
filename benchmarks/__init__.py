"""Benchmarks: the suite of airspeed velocity (bench_*.py), and programs to run with `python -m benchmarks.NAME`.

This file limits BLAS to one thread before NumPy is imported. Under asv, every commit has its own compile cache, because
asv uses an environment for many commits, and uninstalling the package does not delete the cache.
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
