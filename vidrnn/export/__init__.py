"""Portable forms of a model, by the name that `vidrnn export --to` takes."""

EXPORTS = {
    "onnx": "vidrnn.export.onnx:OnnxExport",
    "openvino": "vidrnn.export.openvino:OpenvinoExport",
    "torch": "vidrnn.export.torch:TorchExport",
}
