"""Decoders of the next picture, by the name that the user gives."""

DECODERS = {
    "direct": "vidrnn.nets.decoders.direct:DirectDecoder",
    "flow": "vidrnn.nets.decoders.flow:FlowDecoder",
    "kernel": "vidrnn.nets.decoders.kernel:KernelDecoder",
}
