"""Observations of finished walks. What is claimed is exact. Floats are used only to fit, draw and tabulate.

One call makes all observations from files:

    from exactdrl.observations.observe import observe
    found = observe("a.json", "a.drl", window=40, spread="2", lines=10, seed=0, jobs=2)     # -> Observations

    found.steps, found.final_loss                       # S, L_S (mpq)
    found.phases.decay_end                              # last step of the decay phase; None where there is none
    found.brackets                                      # Bracket(quantity, begin, end, rate, low, high, ...): certified
    found.bracket("loss-gap")                           # the decay phase's, or None
    found.estimates                                     # EstimateRow(share, step, loss_error, aitken, fit_error)
    found.settled                                       # Settled(fraction, within, step): certified
    found.trajectory_density, found.line_densities      # exact counts
    found.density_ratios                                # (radius, kinks near the last vertex / near control points)
    found.claims                                        # the claims of proofs/CLAIMS.md, for write_claims
    observe(instance, "a.drl", certificate=certificate)  # the same where both have been read already

Modules: `lengths` (sums of square roots), `brackets` (certified decay), `phases`, `estimates`, `density`, `lines` and
`plane` (exact counts and pictures), `claims` (the file), `series` and `tables` (floats), `summary` (JSON).
"""
