"""One file, one way to adapt a trained model to a target domain without a single row of its source."""
