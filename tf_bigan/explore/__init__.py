"""A local web page to look at a trained model: `python -m tf_bigan.explore --workdir=DIR`."""
