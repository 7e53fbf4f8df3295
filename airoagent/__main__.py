"""``python -m airoagent`` is ``airo``."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # `-m` has put the current folder first on the path: no module is to come from there
        del sys.path[0]
    from airoagent.cli import main

    main()
