"""Anomaly detection: a scikit-learn outlier detector and its scores.

detector.py    BiGANDetector: trains a system on normal rows and scores others
trained.py     what a trained system measures of an image: E(x), G(E(x)), D
neighbours.py  distances between the codes E(x)
scores.py      anomaly scores from these measurements
columns.py     a table as images
"""
