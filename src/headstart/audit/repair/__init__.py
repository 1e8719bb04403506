"""Ways to repair a head on stored activations: one file, one way."""
