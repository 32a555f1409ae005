"""Tampered bundles, each resealed as far as a clever forger can: what both verifiers must catch."""
