"""Anomaly detection: a scikit-learn outlier detector and its scores.

detector.py    BiGANDetector: trains a system on normal rows and scores others
scorer.py      all scores as one graph, which is run, pickled and exported
trained.py     measurements of an image with a trained system: E(x), G(E(x)), D
scores.py      anomaly scores from these measurements, and which scores are combined
neighbours.py  distances to the nearest training rows: of codes, pixels or columns
patches.py     distances of patches to the training patches at the same place, and heat maps
components.py  what principal components leave out
evidence.py    scores on one scale, by their tail probability among held-out normal rows
columns.py     a table as images
arrays.py      arrays in a graph that can be pickled
"""
