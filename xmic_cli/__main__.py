"""Start ``xmic`` and ``python -m xmic_cli``."""

import gc
import sys

from xmic_cli.shadowed import shadowing

_BAD_CONFIGURATION = 3  # as in data_manifests.errors, which may be another package here


def main() -> None:
    """Run the command line and exit.

    It refuses to run where other packages of the same names come before ours on Python's path.
    """
    found = shadowing()
    if found:
        sys.stderr.write(f"error: {found}\n")
        sys.exit(_BAD_CONFIGURATION)
    gc.disable()  # nothing that an import makes is garbage, and looking for it takes time
    from xmic_cli import app

    gc.enable()
    app.main()


if __name__ == "__main__":
    main()
