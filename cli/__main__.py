"""`python -m exactdrl_cli`, the same as `exactdrl`."""

from .entry import main

main()
