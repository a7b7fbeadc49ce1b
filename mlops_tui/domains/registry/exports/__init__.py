"""Model versions for other programs: ONNX, container files, MLflow."""
