"""The device of a training: the settings of torch for it, its precision, and the threads that compute on it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def prepare_device(device: torch.device) -> None:
    """Set torch up for a training on this device, in this process."""
    torch.set_num_threads(1)  # the cores work on shares of a minibatch and on films side by side
    if device.type == "cuda":
        os.environ.setdefault(_CUBLAS, ":4096:8")  # else recurrent layers of cuDNN may not repeat their numbers
        torch.backends.cudnn.deterministic = True  # one seed gives the same weights each time
        if device.index is not None:  # torch refuses to set a GPU without a number
            torch.cuda.set_device(device)  # pinned memory and nccl take the GPU that is set


def half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 for an encoder in training, if the device multiplies in it."""
    if device.type == "cuda" or (device.type == "cpu" and has_bfloat16()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def threads_for(jobs: int, device: str) -> int:
    """The threads that compute shares: an accelerator computes one after the other, whatever `jobs` says."""
    return jobs if device == "cpu" else 1
