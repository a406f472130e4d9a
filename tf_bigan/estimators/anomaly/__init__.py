"""Anomaly detection: a scikit-learn outlier detector and its scores.

detector.py    BiGANDetector: trains a system on normal rows and scores others
trained.py     measurements of an image with a trained system: E(x), G(E(x)), D
neighbours.py  distances between the codes E(x)
scores.py      anomaly scores from these measurements
columns.py     a table as images
"""
