"""All that a reader needs to believe a certificate: formats, checker, proofs. Imports nothing from exactdrl."""
