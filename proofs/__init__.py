"""All that a reader needs to believe a certificate: the formats, the checker, the proofs. Imports nothing from exactdrl."""
