"""Names and shapes of published recognisers' state dicts, restated without a look at our own modules."""

import torch

IRESNET_BLOCKS = {"iresnet18": (2, 2, 2, 2), "iresnet50": (3, 4, 14, 3), "iresnet100": (3, 13, 30, 3)}


def _norm(name, channels, *, affine=True):
    if affine:
        yield f"{name}.weight", (channels,)
        yield f"{name}.bias", (channels,)
    yield f"{name}.running_mean", (channels,)
    yield f"{name}.running_var", (channels,)
    yield f"{name}.num_batches_tracked", ()


def iresnet(depth, dimension=512, cells=49):
    """insightface, recognition/arcface_torch/backbones/iresnet.py."""
    yield "conv1.weight", (64, 3, 3, 3)
    yield from _norm("bn1", 64)
    yield "prelu.weight", (64,)
    inputs = 64
    for number, (blocks, channels) in enumerate(zip(IRESNET_BLOCKS[depth], (64, 128, 256, 512), strict=True), start=1):
        for block in range(blocks):
            name = f"layer{number}.{block}"
            yield from _norm(f"{name}.bn1", inputs)
            yield f"{name}.conv1.weight", (channels, inputs, 3, 3)
            yield from _norm(f"{name}.bn2", channels)
            yield f"{name}.prelu.weight", (channels,)
            yield f"{name}.conv2.weight", (channels, channels, 3, 3)
            yield from _norm(f"{name}.bn3", channels)
            if block == 0:
                yield f"{name}.downsample.0.weight", (channels, inputs, 1, 1)
                yield from _norm(f"{name}.downsample.1", channels)
            inputs = channels
    yield from _norm("bn2", 512)
    yield "fc.weight", (dimension, 512 * cells)
    yield "fc.bias", (dimension,)
    yield from _norm("features", dimension)


def arcface_mobilefacenet(scale=2, dimension=512):
    """insightface, recognition/arcface_torch/backbones/mobilefacenet.py with blocks (1, 4, 6, 2)."""

    def convolution(name, outputs, inputs, kernel, *, activated=True):
        yield f"{name}.layers.0.weight", (outputs, inputs, kernel, kernel)
        yield from _norm(f"{name}.layers.1", outputs)
        if activated:
            yield f"{name}.layers.2.weight", (outputs,)

    def bottleneck(name, inputs, inside, outputs):
        yield from convolution(f"{name}.layers.0", inside, inputs, 1)
        yield from convolution(f"{name}.layers.1", inside, 1, 3)
        yield from convolution(f"{name}.layers.2", outputs, inside, 1, activated=False)

    narrow, wide = 64 * scale, 128 * scale
    yield from convolution("layers.0", narrow, 3, 3)
    yield from convolution("layers.1", narrow, narrow // 64, 3)  # 64 groups at every scale
    yield from bottleneck("layers.2", narrow, 128, narrow)
    for block in range(4):
        yield from bottleneck(f"layers.3.layers.{block}", narrow, 128, narrow)
    yield from bottleneck("layers.4", narrow, 256, wide)
    for block in range(6):
        yield from bottleneck(f"layers.5.layers.{block}", wide, 256, wide)
    yield from bottleneck("layers.6", wide, 512, wide)
    for block in range(2):
        yield from bottleneck(f"layers.7.layers.{block}", wide, 256, wide)
    yield from convolution("conv_sep", 512, wide, 1)
    yield from convolution("features.layers.0", 512, 1, 7, activated=False)
    yield "features.layers.2.weight", (dimension, 512)
    yield from _norm("features.layers.3", dimension)


def adadistill_mobilefacenet(dimension=512, *, output="output_layer.", affine=False):
    """fdbtrs/AdaDistill, backbones/mobilefacenet.py; with ``output=""`` and ``affine`` TreB1eN/InsightFace_Pytorch."""

    def convolution(name, outputs, inputs, kernel, *, activated=True):
        yield f"{name}.conv.weight", (outputs, inputs, kernel, kernel)
        yield from _norm(f"{name}.bn", outputs)
        if activated:
            yield f"{name}.prelu.weight", (outputs,)

    def bottleneck(name, inputs, inside, outputs):
        yield from convolution(f"{name}.conv", inside, inputs, 1)
        yield from convolution(f"{name}.conv_dw", inside, 1, 3)
        yield from convolution(f"{name}.project", outputs, inside, 1, activated=False)

    yield from convolution("conv1", 64, 3, 3)
    yield from convolution("conv2_dw", 64, 1, 3)
    yield from bottleneck("conv_23", 64, 128, 64)
    for block in range(4):
        yield from bottleneck(f"conv_3.model.{block}", 64, 128, 64)
    yield from bottleneck("conv_34", 64, 256, 128)
    for block in range(6):
        yield from bottleneck(f"conv_4.model.{block}", 128, 256, 128)
    yield from bottleneck("conv_45", 128, 512, 128)
    for block in range(2):
        yield from bottleneck(f"conv_5.model.{block}", 128, 256, 128)
    yield from convolution("conv_6_sep", 512, 128, 1)
    yield from convolution(f"{output}conv_6_dw", 512, 1, 7, activated=False)
    yield f"{output}linear.weight", (dimension, 512)
    yield from _norm(f"{output}bn", dimension, affine=affine)


def state_dict(names_and_shapes, seed=0):
    """Random weights of a trained one's kind: positive variances, gains around 1, convolutions that keep the scale."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in names_and_shapes:
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif len(shape) > 1:
            inputs = torch.Size(shape[1:]).numel()
            state[name] = torch.randn(shape, generator=generator) * (2 / inputs) ** 0.5
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            state[name] = 0.2 * torch.randn(shape, generator=generator)
        elif name == "features.weight":  # frozen
            state[name] = torch.ones(shape)
        else:  # gains and PReLU slopes
            state[name] = 0.2 + 0.8 * torch.rand(shape, generator=generator)
    return state
