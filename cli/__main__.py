"""`python -m exactdrl_cli`, the same as `exactdrl`."""

from .main import main

main()
