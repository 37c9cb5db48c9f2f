"""Runtimes, by the name that `--runtime` takes."""

RUNTIMES = {
    "onnx": "vidrnn.runtimes.onnx:OnnxRuntime",
    "openvino": "vidrnn.runtimes.openvino:OpenvinoRuntime",
    "torch": "vidrnn.runtimes.torch:TorchRuntime",
}
