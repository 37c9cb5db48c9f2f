"""A model of the next frames as ONNX: it paints as the model does for one film and for three, or it is not kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import TinyRun
from nets.test_frame_predictor import film, model_of, spec_of
from vidrnn.export.frames_export import TOLERANCE, keep_and_tell, keep_portable, largest_difference

from vidrnn.config import ModelHeader
from vidrnn.errors import ExportError, ModelError
from vidrnn.export import frames_export
from vidrnn.model.checkpoint import Loaded, LoadedForecaster, load_forecaster
from vidrnn.model.header import foretells_frames
from vidrnn.predict.predictor import open_frames, open_model
from vidrnn.runtimes.onnx import OnnxFrames
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.tasks.next_frame import rollouts
from vidrnn.values import Size


def loaded(paint: str, head: str, folder: Path, **how: object) -> LoadedForecaster:
    spec = spec_of(paint, head, **how)  # type: ignore[arg-type]
    header = ModelHeader(vidrnn_version="0", spec=spec, seed=0, seen={}, scores={}, facts={})
    return Loaded(model_of(spec), header, folder)


def agrees(model: LoadedForecaster, file: Path) -> None:
    assert keep_portable(model, file) <= TOLERANCE
    ours, theirs = OnnxFrames.open(file), TorchFrames(model)
    assert ours.handling == theirs.handling and ours.header == theirs.header
    for batch in (1, 3):
        films = film(12, batch, model.spec.size, seed=batch).numpy()
        told, known = None, None
        for step in range(12):
            painted, told = ours.foretell(films[:, step], told)
            expected, known = theirs.foretell(films[:, step], known)
            np.testing.assert_allclose(painted, expected, atol=TOLERANCE)
        np.testing.assert_allclose(rollouts(ours, films[:, :4], 3), rollouts(theirs, films[:, :4], 3), atol=2 / 255)


def test_a_portable_file_paints_as_the_model_does_and_foreign_readers_refuse_it(tmp_path: Path) -> None:
    agrees(loaded("flow", "convgru", tmp_path, size=Size(19, 16), grey=False), tmp_path / "model.onnx")
    assert foretells_frames(tmp_path / "model.onnx") and foretells_frames(tmp_path)
    assert open_frames(tmp_path)[0].name == "onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx"], "nothing else is left behind"
    assert str(tmp_path).encode() not in (tmp_path / "model.onnx").read_bytes(), "no paths of this machine"
    with pytest.raises(ModelError, match="foretells frames"):
        open_model(tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("paint", "head"), [("direct", "convlstm"), ("kernel", "convgru"), ("direct", "gru"), ("flow", "mingru")]
)
def test_every_decoder_and_heads_of_every_kind_have_a_portable_form(tmp_path: Path, paint: str, head: str) -> None:
    agrees(loaded(paint, head, tmp_path), tmp_path / "model.onnx")


def test_a_file_that_paints_otherwise_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(model: LoadedForecaster, tensors: object) -> onnx.ModelProto:
        """A graph that hands on its state and paints every next frame black."""
        nodes = [
            onnx.helper.make_node("Cast", ["frame"], ["float"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", ["float", "none"], ["next"]),
        ]
        frame, shown = (
            onnx.helper.make_tensor_value_info(name, kind, ["batch", 16, 16, channels])
            for name, kind, channels in (("frame", onnx.TensorProto.UINT8, 3), ("next", onnx.TensorProto.FLOAT, 3))
        )
        nothing = onnx.helper.make_tensor("none", onnx.TensorProto.FLOAT, [], [0.0])
        graph = onnx.helper.make_graph(nodes, "black", [frame], [shown], [nothing])
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)

    monkeypatch.setattr(frames_export, "step_as_onnx", tampered)
    monkeypatch.setattr(frames_export, "fresh_frames_state", lambda model: {})
    (tmp_path / "model.onnx").write_bytes(b"an older one")
    with pytest.raises(ExportError, match=r"model\.onnx: not kept, since it does not paint as the model does"):
        keep_portable(loaded("kernel", "convgru", tmp_path, grey=False), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == b"an older one"


def test_what_paints_nothing_that_is_a_number_is_infinitely_far(tiny_forecaster: TinyRun) -> None:
    model = TorchFrames(load_forecaster(tiny_forecaster.model))

    class Broken(TorchFrames):
        def foretell(self, frames, state=None):  # type: ignore[no-untyped-def]
            painted, after = super().foretell(frames, state)
            return np.full_like(painted, np.nan), after

    assert largest_difference(model, Broken(load_forecaster(tiny_forecaster.model))) == float("inf")
    assert largest_difference(model, model) == 0.0


def test_the_card_tells_of_the_file_once(
    tmp_path: Path, tiny_forecaster: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_forecaster.model, tmp_path / "model")
    model = load_forecaster(tmp_path / "model")
    monkeypatch.setattr(frames_export, "keep_portable", lambda *_: 2.5e-7)
    for _ in range(2):
        apart, sentence = keep_and_tell(model, tmp_path / "model" / "model.onnx")
    card = (tmp_path / "model" / "README.md").read_text()
    assert apart == 2.5e-7 and card.count(f"- `model.onnx`: {sentence}") == 1 and "2.5e-07" in sentence
    keep_and_tell(model, tmp_path / "elsewhere.onnx")
    assert "elsewhere" not in (tmp_path / "model" / "README.md").read_text()
