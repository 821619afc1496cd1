"""``python -m fastmlp`` is the command ``fastmlp``."""

import sys

from fastmlp.cli import main

if __name__ == "__main__":
    sys.exit(main())
