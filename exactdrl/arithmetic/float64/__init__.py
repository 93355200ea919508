"""The compiled float64 kernel of the filter: every number with a proved bound."""
