"""One file, one way to guess how good a model is on a domain that nobody has labelled."""
