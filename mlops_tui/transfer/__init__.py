"""Runs from and to other trackers: MLflow, TensorBoard, Weights & Biases, CSV and Parquet."""
