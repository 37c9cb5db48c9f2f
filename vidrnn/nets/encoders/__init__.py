"""Encoders, by the name that `--encoder` takes. `auto` is no encoder: with it, training chooses between two."""

_TORCHVISION = "vidrnn.nets.encoders.pretrained:TorchvisionEncoder"

ENCODERS = {
    "small": "vidrnn.nets.encoders.small:SmallEncoder",
    "tiny": "vidrnn.nets.encoders.small:TinyEncoder",
    "mobilenet_v2": _TORCHVISION,
    "mobilenet_v3_small": _TORCHVISION,
    "mobilenet_v3_large": _TORCHVISION,
    "resnet18": _TORCHVISION,
    "resnet34": _TORCHVISION,
    "resnet50": _TORCHVISION,
    "efficientnet_b0": _TORCHVISION,
    "shufflenet_v2_x1_0": _TORCHVISION,
    "regnet_y_400mf": _TORCHVISION,
    "convnext_tiny": _TORCHVISION,
}

TRAINED_FROM_SCRATCH = ("small", "tiny")
"""Encoders without pretrained weights. They learn from the films of the user."""

FOREIGN_ENCODERS = {
    "features": "vidrnn.nets.encoders.features:GivenFeatures",
    "onnx": "vidrnn.nets.encoders.onnx_file:OnnxEncoder",
    "timm": "vidrnn.nets.encoders.timm_network:TimmEncoder",
}
"""Encoders from elsewhere, by their kind: `--features DIR`, `--encoder FILE.onnx` and `--encoder timm:NAME`."""

PICTURE_ENCODERS = {"pyramid": "vidrnn.nets.encoders.pyramid:Pyramid"}
"""Encoders that give feature maps, for next-frame prediction."""


def foreign_kind(name: str) -> str | None:
    """The kind of an encoder from elsewhere, by its name in a header or in `--encoder`; None for all others."""
    kind = "onnx" if name.lower().endswith(".onnx") else name.partition(":")[0]
    return kind if kind in FOREIGN_ENCODERS else None
