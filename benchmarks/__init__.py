"""Benchmarks: training speed, published results, metrics and anomaly detection."""
