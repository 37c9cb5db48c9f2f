"""The networks of timm as encoders. Without timm these tests are skipped, but for the sentence that says so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import train_tiny
from model.test_checkpoint import CARD, HEAD, make_header, rewrite

from vidrnn.errors import ModelError, UsageError, WeightsError
from vidrnn.export.exporter import TOLERANCE, write_checked
from vidrnn.export.onnx import OnnxExport
from vidrnn.model.checkpoint import LoadedModel, load_model, save_model
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import Model, build_encoder, build_sequence, encoding_of, fingerprint
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.encoders.timm_network import timm_facts
from vidrnn.nets.spec import EncoderConfig
from vidrnn.values import PictureMotion, Size

NAME, SIZE = "timm:test_resnet", Size(48, 64)
"""The smallest convolutional network of timm."""


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="timm is not installed (the extra vidrnn[timm])")


def make_encoder(
    name: str = NAME, size: Size | None = SIZE, seed: int = 1, motion: tuple[PictureMotion, ...] = ()
) -> Encoder:
    facts = timm_facts(name)
    torch.manual_seed(seed)
    config = EncoderConfig(name=name, frozen=True, origin="none", pixels=facts.pixels, motion=motion)
    return build_encoder(config, size or facts.size).eval()


def test_without_timm_a_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r'timm is not installed\. Install it: pip install "vidrnn\[timm\]"'):
        train_tiny(tmp_path / "no-such-data", tmp_path / "run", encoder="timm:resnet18")


@pytest.mark.parametrize("name", [NAME, "timm:test_vit", "timm:test_efficientnet"])
def test_folding_changes_no_feature(timm: Any, name: str) -> None:
    encoder = make_encoder(name, None)
    size = timm_facts(name).size
    pixels = np.random.default_rng(0).integers(0, 256, (3, size.height, size.width, 3), dtype=np.uint8)
    with torch.no_grad():
        whole = encoder(torch.from_numpy(pixels)[None])[0].numpy()
    assert whole.shape == (3, encoder.width)
    assert np.abs(encoding_of(encoder)(pixels) - whole).max() <= 3e-4 * np.abs(whole).max()


def test_motion_is_seen_by_further_passes(timm: Any) -> None:
    encoder, appearance = make_encoder(motion=("difference", "flow")), encoding_of(make_encoder())
    now, before = np.random.default_rng(0).integers(0, 256, (2, 5, SIZE.height, SIZE.width, 3), dtype=np.uint8)
    difference = (128 + now.astype(int) - before).clip(0, 255).astype(np.uint8)
    features = encoding_of(encoder)(now, before)
    for view, pixels in enumerate((now, difference)):
        seen = features[:, view * encoder.view_width :][:, : encoder.view_width]
        expected = appearance(pixels)
        assert np.abs(seen - expected).max() <= 3e-4 * np.abs(expected).max()
    assert features.shape == (5, 3 * encoder.view_width)


def test_the_normalisation_is_that_of_timm(timm: Any) -> None:
    facts = timm.data.resolve_model_data_config(timm.create_model("test_vit", pretrained=False))
    encoder = make_encoder("timm:test_vit", None)
    assert encoder.mean.flatten().tolist() == pytest.approx(facts["mean"])
    assert encoder.deviation.flatten().tolist() == pytest.approx(facts["std"])


@pytest.mark.parametrize("name", ["timm:hf-hub:someone/net", "timm:local-dir:/tmp", "timm:", "timm:resnet18.nothing"])
def test_only_names_of_timms_own_list_are_taken(timm: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("timm was asked for it"))
    with pytest.raises(UsageError, match="has no network of that name"):
        timm_facts(name)


def test_a_name_with_a_slip_is_answered_with_similar_ones(timm: Any) -> None:
    with pytest.raises(UsageError, match=r"Similar are .*resnet18"):
        timm_facts("timm:resnet81")


def model_of(encoder: Encoder, name: str = NAME) -> LoadedModel:
    header = make_header(HEAD)
    config = EncoderConfig(name=name, frozen=True, origin="pretrained", pixels=timm_facts(name).pixels)
    spec = header.spec.model_copy(update={"encoder": config, "height": SIZE.height, "width": SIZE.width})
    network = Model(encoder, build_sequence(encoder.width, HEAD, "attention", 3)).eval()
    return LoadedModel(network, header.model_copy(update={"spec": spec}), Path("model"))


def test_a_stored_model_is_loaded_without_a_download_and_exported(
    timm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(make_encoder())
    save_model(tmp_path / "model", model.network, model.header, CARD)
    create, asked = timm.create_model, []

    def watched(*names: str, **how: Any) -> Any:
        asked.append(how["pretrained"])
        return create(*names, **how)

    monkeypatch.setattr(timm, "create_model", watched)
    loaded = load_model(tmp_path / "model")
    assert fingerprint(loaded.network.encoder) == fingerprint(model.network.encoder)
    assert asked == [False]
    assert write_checked(OnnxExport(), loaded, tmp_path / "model.onnx") <= TOLERANCE


def test_a_stored_name_that_would_open_a_connection_is_refused(timm: Any, tmp_path: Path) -> None:
    model = model_of(make_encoder())
    save_model(tmp_path / "model", model.network, model.header, CARD)
    rewrite(tmp_path / "model", lambda header: header["spec"]["encoder"].update(name="timm:hf-hub:someone/net"))  # type: ignore[index]
    with pytest.raises(ModelError, match="has no network of that name"):
        load_model(tmp_path / "model")


def test_weights_come_from_timm_or_from_a_file(timm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    torch.manual_seed(5)
    theirs = create("test_resnet", pretrained=False).state_dict()
    torch.save(theirs, tmp_path / "net.pth")

    def online(name: str, pretrained: bool, **how: Any) -> Any:
        network = create(name, pretrained=False, **how)
        if pretrained:
            network.load_state_dict({key: theirs[key] for key in network.state_dict()})
        return network

    monkeypatch.setattr(timm, "create_model", online)
    for origin in ("pretrained", str(tmp_path / "net.pth")):
        encoder = make_encoder()
        give_weights(encoder, NAME, origin)
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in encoder.network.state_dict().items())


def test_without_a_network_a_sentence_says_what_to_do(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, create = make_encoder(), timm.create_model

    def offline(name: str, pretrained: bool, **how: Any) -> Any:
        if pretrained:
            raise OSError("no route to host")
        return create(name, pretrained=pretrained, **how)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(WeightsError, match=r"downloaded \(no route to host\).*--weights none --fine-tune\."):
        give_weights(encoder, NAME, "pretrained")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "none"}, "sees nothing. Add --fine-tune"),
        ({"weights": "imagenet"}, "is of torchvision"),
        ({"grey": True}, "knows coloured pictures only"),
        ({"encoder": "timm:test_vit"}, "takes pictures of 160x160 pixels only"),
    ],
)
def test_settings_that_do_not_fit_are_refused(timm: Any, tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        train_tiny(tmp_path / "no-such-data", tmp_path / "run", **{"encoder": NAME, **settings})
    assert words in str(caught.value)


def test_a_network_of_timm_can_be_trained_from_nothing(timm: Any, class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder=NAME, weights="none", fine_tune=True, epochs=1)
    spec = load_model(run.model).spec
    assert (spec.encoder.name, spec.encoder.origin, spec.encoder.frozen) == (NAME, "none", False)
