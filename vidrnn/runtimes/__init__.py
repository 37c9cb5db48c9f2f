"""Runtimes, by the name that `--runtime` takes."""

RUNTIMES = {
    "onnx": "vidrnn.runtimes.onnx:OnnxRuntime",
    "openvino": "vidrnn.runtimes.openvino:OpenvinoRuntime",
    "torch": "vidrnn.runtimes.torch:TorchRuntime",
}

FRAME_RUNTIMES = {
    "onnx": "vidrnn.runtimes.onnx:OnnxFrames",
    "torch": "vidrnn.runtimes.torch:TorchFrames",
}
"""What computes models of the next frames."""
