"""`python -m harness`, and the command `harness`."""

import sys

from harness.help import print_help

__all__ = ["main"]


def main() -> None:
    """Prints the help that was made before, or runs the command line: that takes most of a second to load."""
    if print_help(sys.argv[1:]):
        return
    from harness.app import main as run

    run()


if __name__ == "__main__":
    main()
