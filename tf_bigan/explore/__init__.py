"""A local web page to explore a trained model: `python -m tf_bigan explore --workdir=DIR`."""
