"""A local web page to explore a trained model: `tf-bigan explore --workdir=DIR`."""
