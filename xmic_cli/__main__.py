"""``python -m xmic_cli`` is ``xmic``."""

from xmic_cli.app import main

main()
