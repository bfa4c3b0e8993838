"""The entry point: ``xmic`` and ``python -m xmic_cli``."""

import sys

from xmic_cli.shadowed import shadowing

_BAD_CONFIGURATION = 3  # as data_manifests.errors has it, which may not be ours here


def main() -> None:
    """Run the command line and exit; refuse to run where other packages of our names come first."""
    found = shadowing()
    if found:
        sys.stderr.write(f"error: {found}\n")
        sys.exit(_BAD_CONFIGURATION)
    from xmic_cli import app

    app.main()


if __name__ == "__main__":
    main()
