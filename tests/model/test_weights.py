"""Where an encoder's first weights come from, and a sentence for every place where they do not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from conftest import FOOTAGE
from model.test_checkpoint import CARD, HEAD, make_header
from nets.test_classifier import make_model
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import get_model

from vidrnn.errors import WeightsError
from vidrnn.model.checkpoint import WEIGHTS_NAME, save_model
from vidrnn.model.metadata import ModelHeader
from vidrnn.model.weights import give_weights, shipped_models
from vidrnn.nets.classifier import Model, build_encoder, build_sequence, fingerprint
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.encoders.pretrained import imagenet_file
from vidrnn.nets.spec import EncoderConfig
from vidrnn.values import Size

SIZE = Size(12, 12)
NAME = "shufflenet_v2_x1_0"
"""The smallest of torchvision's in the table."""
TORCH_HOME = FOOTAGE.parent / "torch_home"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, no downloads of earlier days, no shipped models; gives torch's empty folder of downloads."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(torch.hub, "_hub_dir", str(folder))
    monkeypatch.setattr("vidrnn.model.weights.shipped_models", lambda: tmp_path / "shipped")

    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", refuse)
    return folder


def make_encoder(name: str = NAME, seed: int = 1) -> Encoder:
    torch.manual_seed(seed)
    return build_encoder(EncoderConfig(name=name, frozen=True, origin="imagenet"), SIZE)


def torchvision_weights(seed: int = 2) -> dict[str, Tensor]:
    """Under torchvision's names, the last layer included."""
    torch.manual_seed(seed)
    return get_model(NAME, weights=None).state_dict()


def fills(encoder: Encoder, weights: dict[str, Tensor]) -> bool:
    """Whether the encoder holds just these, under torchvision's names."""
    return all(torch.equal(tensor, weights[name]) for name, tensor in encoder.network.state_dict().items())


def pretrained_model(frozen: bool = True, origin: str = "imagenet") -> tuple[Model, ModelHeader]:
    """A model on `NAME`, and its header."""
    header = make_header(HEAD)
    encoder = EncoderConfig(name=NAME, frozen=frozen, origin=origin)
    network = make_encoder(seed=3)
    return (
        Model(network, build_sequence(network.width, HEAD, "attention", 3)),
        header.model_copy(update={"spec": header.spec.model_copy(update={"encoder": encoder})}),
    )


def refused(encoder: Encoder, origin: str | Path, name: str = NAME) -> str:
    """The sentence with which the weights are refused; the encoder is left as it was."""
    before = fingerprint(encoder)
    with pytest.raises(WeightsError) as caught:
        give_weights(encoder, name, str(origin))
    assert fingerprint(encoder) == before
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 500
    return str(caught.value)


def test_none_leaves_the_weights_as_they_were_drawn() -> None:
    encoder = make_encoder("small")
    before = fingerprint(encoder)
    give_weights(encoder, "small", "none")
    assert fingerprint(encoder) == before


def save_safetensors(file: Path, weights: dict[str, Tensor]) -> Path:
    save_file(weights, file.with_suffix(".safetensors"))
    return file.with_suffix(".safetensors")


def save_torch(file: Path, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, file)
    return file


def save_nested(file: Path, weights: dict[str, Tensor]) -> Path:
    torch.save({"epoch": 3, "state_dict": weights}, file)
    return file


@pytest.mark.parametrize("save", [save_safetensors, save_torch, save_nested])
def test_a_file_of_torchvisions_names_fills_the_encoder(
    tmp_path: Path, save: Callable[[Path, dict[str, Tensor]], Path]
) -> None:
    weights, encoder = torchvision_weights(), make_encoder()
    give_weights(encoder, NAME, str(save(tmp_path / "net.pth", weights)))
    assert fills(encoder, weights)


@pytest.mark.parametrize("what", ["folder", "run", "file"])
def test_another_model_of_ours_lends_its_encoder(tmp_path: Path, what: str) -> None:
    lender = make_model(HEAD)
    save_model(tmp_path / "run" / "model", lender, make_header(HEAD), CARD)
    paths = {"folder": "run/model", "run": "run", "file": f"run/model/{WEIGHTS_NAME}"}
    encoder = make_encoder("small")
    assert fingerprint(encoder) != fingerprint(lender.encoder)
    give_weights(encoder, "small", str(tmp_path / paths[what]))
    assert fingerprint(encoder) == fingerprint(lender.encoder)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    file = save_torch(tmp_path / "net.pth", torchvision_weights())
    assert "another network's" in refused(make_encoder("small"), file, "small")
    save_model(tmp_path / "model", make_model(HEAD), make_header(HEAD), CARD)
    assert "Check --encoder" in refused(make_encoder(), tmp_path / "model")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    weights = torchvision_weights()
    weights["conv1.0.weight"] = torch.zeros(24, 1, 3, 3)
    assert "conv1.0.weight has another shape" in refused(make_encoder(), save_torch(tmp_path / "grey.pth", weights))


def test_weights_that_lack_some_are_refused(tmp_path: Path) -> None:
    weights = {name: tensor for name, tensor in torchvision_weights().items() if "stage4" not in name}
    assert "tensors are missing" in refused(make_encoder(), save_torch(tmp_path / "half.pth", weights))


class Mischief:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path: Path, how: str) -> None:
    file, touched = tmp_path / "net.pth", tmp_path / "touched"
    content = {"conv1.0.weight": Mischief(touched)}
    if how == "torch":
        torch.save(content, file)
    else:
        file.write_bytes(pickle.dumps(content, protocol=2))
    text = refused(make_encoder(), file)
    assert not touched.exists()
    assert str(file) in text and "read safely" in text and "weights_only" not in text


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404</html>", bytes(range(256)) * 9, b"PK\x03\x04" + bytes(90), b"\x80\x02", b"\x80\x02K\x01."],
    ids=["empty", "a page", "bytes", "a broken zip", "a broken pickle", "a number"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_not_one_of_weights_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"net{suffix}"
    file.write_bytes(content)
    text = refused(make_encoder(), file)
    assert str(file) in text and "Bring a .safetensors file" in text


def test_a_file_of_something_other_than_tensors_is_refused(tmp_path: Path) -> None:
    for content in ([1, 2], {"a": 1}):
        torch.save(content, tmp_path / "list.pth")
        assert "other than named tensors" in refused(make_encoder(), tmp_path / "list.pth")


def test_a_place_without_weights_is_refused(tmp_path: Path) -> None:
    text = refused(make_encoder(), tmp_path / "gone.pth")
    assert str(tmp_path / "gone.pth") in text and "Say imagenet, none, or name a file" in text
    text = refused(make_encoder(), tmp_path)
    assert f"--weights {tmp_path}" in text and "Name a run or a model folder" in text


def test_small_has_no_imagenet_weights() -> None:
    assert "Use --weights none" in refused(make_encoder("small"), "imagenet", "small")


def test_without_a_network_imagenet_is_a_sentence_that_says_what_to_do() -> None:
    text = refused(make_encoder(), "imagenet")
    file = imagenet_file(NAME)
    assert "no route to host" in text and "--weights none" in text
    assert file.name in text and str(file.parent) in text


def test_a_file_brought_to_torchs_downloads_is_used_without_a_network(offline: Path) -> None:
    weights, encoder = torchvision_weights(), make_encoder()
    file = imagenet_file(NAME)
    assert file.is_relative_to(offline)
    file.parent.mkdir(parents=True)
    torch.save(weights, file)
    give_weights(encoder, NAME, "imagenet")
    assert fills(encoder, weights)


def test_the_second_weights_of_imagenet_are_another_file(offline: Path) -> None:
    name = "mobilenet_v3_large"
    file = imagenet_file(name, "imagenet_v2")
    assert file != imagenet_file(name) and file.is_relative_to(offline)
    torch.manual_seed(2)
    weights, encoder = get_model(name, weights=None).state_dict(), make_encoder(name)
    assert file.name in refused(encoder, "imagenet_v2", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, file)
    give_weights(encoder, name, "imagenet_v2")
    assert fills(encoder, weights)


def test_a_network_without_second_weights_is_told() -> None:
    assert "no such weights of shufflenet_v2_x1_0. Use --weights imagenet" in refused(make_encoder(), "imagenet_v2")
    assert "Use --weights none" in refused(make_encoder("small"), "imagenet_v2", "small")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04" + bytes(90)])
def test_a_damaged_download_is_to_be_deleted(content: bytes) -> None:
    file = imagenet_file(NAME)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert (
        refused(make_encoder(), "imagenet")
        == f"{file}: the file is damaged. Delete it; vidrnn then downloads it again."
    )


def test_a_shipped_model_lends_its_imagenet_encoder_where_there_is_no_network(tmp_path: Path) -> None:
    lender, header = pretrained_model()
    save_model(tmp_path / "shipped" / "actions", lender, header, CARD)
    (tmp_path / "shipped" / "another").mkdir()
    encoder = make_encoder()
    give_weights(encoder, NAME, "imagenet")
    assert fingerprint(encoder) == fingerprint(lender.encoder)


@pytest.mark.parametrize(("frozen", "origin"), [(False, "imagenet"), (True, "none")])
def test_a_shipped_encoder_that_was_changed_is_not_passed_off_as_imagenets(
    tmp_path: Path, frozen: bool, origin: str
) -> None:
    lender, header = pretrained_model(frozen, origin)
    save_model(tmp_path / "shipped" / "actions", lender, header, CARD)
    assert "could not be downloaded" in refused(make_encoder(), "imagenet")


def test_shipped_models_stand_beside_the_package() -> None:
    assert shipped_models().name in {"models", "shipped"}


@pytest.mark.footage
def test_the_real_imagenet_weights_are_used_from_torch_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(TORCH_HOME / "hub"))
    if not imagenet_file("mobilenet_v2").exists():
        pytest.skip("the ImageNet weights are not here (../shared/torch_home)")
    encoder = make_encoder("mobilenet_v2")
    give_weights(encoder, "mobilenet_v2", "imagenet")
    known = torch.load(imagenet_file("mobilenet_v2"), weights_only=True)
    assert fills(encoder, known)
