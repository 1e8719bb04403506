"""Why a model answered as it did: where in a picture, which words, which columns pull an answer to a class."""
