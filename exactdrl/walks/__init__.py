"""The walk: start, pivot rules, ratio test, driver. It does not know which arithmetic it runs on."""
