"""Encoders, by the name that `--encoder` takes; `auto` is not one of them, but training's choice between two."""

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
"""Those that know nothing of the world, and are trained on the films at hand."""

PICTURE_ENCODERS = {"pyramid": "vidrnn.nets.encoders.pyramid:Pyramid"}
"""What heads that keep the picture read by, for the prediction of frames."""
