"""Runtimes, by the name that `--runtime` takes."""

RUNTIMES = {
    "onnx": "vidrnn.runtimes.onnx:OnnxRuntime",
    "torch": "vidrnn.runtimes.torch:TorchRuntime",
}
