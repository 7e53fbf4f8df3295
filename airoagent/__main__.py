"""``python -m airoagent`` is ``airo``."""

from airoagent.cli import main

if __name__ == "__main__":
    main()
