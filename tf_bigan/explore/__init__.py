"""Local web pages to explore a trained model or an anomaly detector: `tf-bigan explore`."""
