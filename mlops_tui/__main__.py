"""`python -m mlops_tui` is `mlops`."""

from mlops_tui.cli.app import main

main()
