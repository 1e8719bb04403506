"""One file, one shallow way from a labelled source domain to an unlabelled target domain."""
