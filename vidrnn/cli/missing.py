"""The sentences about a package or a library of the system that is not there. Nothing is loaded here."""

from __future__ import annotations

import re
import sys

EXTRAS = {
    "huggingface_hub": "hub",
    "mlflow": "mlflow",
    "openvino": "openvino",
    "pyarrow": "parquet",
    "ray": "ray",
    "tensorboard": "tensorboard",
    "timm": "timm",
    "wandb": "wandb",
}
"""Packages that vidrnn needs for some work only, and the extra of vidrnn that installs each."""
NOT_SMALL = {
    "av": "PyAV",
    "jinja2": "Jinja",
    "markupsafe": "MarkupSafe",
    "matplotlib": "Matplotlib",
    "onnx": "ONNX",
    "onnxscript": "ONNX Script",
    "openpyxl": "openpyxl",
    "sklearn": "scikit-learn",
    "threadpoolctl": "threadpoolctl",
    "torch": "PyTorch",
    "torchmetrics": "TorchMetrics",
    "torchvision": "torchvision",
}
"""Packages that the small install for prediction leaves out, and how people call them."""
_WORDS = {
    "linux": ("cannot open shared object", "version `GLIBC", "Error loading shared library"),
    "darwin": ("Library not loaded", "image not found", "incompatible architecture", "Symbol not found"),
    "win32": ("DLL load failed",),
}
"""What the loader of each system says of a library that it does not find, or that does not fit."""
_HINTS = {
    "linux": "On Debian and Ubuntu, OpenCV needs: apt-get install libgl1 libglib2.0-0. "
    "On Fedora: dnf install mesa-libGL glib2.",
    "darwin": "Install vidrnn with a Python for this processor, from python.org or Homebrew, in a new environment. "
    "Older versions of macOS lack the library: update macOS.",
    "win32": "Install the Visual C++ Redistributable of Microsoft: https://aka.ms/vs/17/release/vc_redist.x64.exe. "
    "Windows N also needs its Media Feature Pack.",
}


def missing_module(module: str, command: str) -> str:
    """The sentence about a module that Python does not find, for the command that was given, such as `train`."""
    package = module.partition(".")[0]
    if package in EXTRAS:
        install = f'pip install "vidrnn[{EXTRAS[package]}]"'
        return f"This needs the package {package}, which is not installed here. Install it: {install}"
    if package in NOT_SMALL:
        remedy = "Install it: pip install av" if package == "av" else "Install all of vidrnn: pip install vidrnn"
        return (
            f"vidrnn {command}: this needs {NOT_SMALL[package]}, which the small install for prediction leaves out. "
            f"{remedy}"
        )
    if package in sys.stdlib_module_names:
        return f"This needs {package}, a part of Python that this system does not have."
    return (
        f"The package {package}, which belongs to vidrnn, is not installed here. "
        "Install vidrnn again: pip install --force-reinstall vidrnn"
    )


def missing_library(error: ImportError, system: str = sys.platform) -> str:
    """The sentence about a library of the system that a package needs; empty for another error of an import.

    Args:
        error: the error of the import, with the words of the system's loader.
        system: as in `sys.platform`.
    """
    words = " ".join(str(error).split())
    if not any(re.search(re.escape(each), words) for each in _WORDS.get(system, _WORDS["linux"])):
        return ""
    of = f" of {error.name.partition('.')[0]}" if error.name else ""
    return f"A library{of} cannot be loaded on this system ({words}). {_HINTS.get(system, _HINTS['linux'])}"
