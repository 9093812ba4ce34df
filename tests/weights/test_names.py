"""Names of arrays in the wild: prefixes, wrappers, heads and other layouts, around the same convolutions."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.weights import load
from nst_jax.weights.head import load_classifier
from tests.weight_files import assert_same, conv1_1, first_layers, write_h5, write_torch
from tests.whole_files import CLASSES, canonical, state_dict

LAYERS = {"0": "conv1_1", "2": "conv1_2", "5": "conv2_1"}


def torchvision_state(prefix="features."):
    """Three layers under torchvision's names, and the same under ours."""
    arrays = first_layers(*LAYERS.values())
    return {
        f"{prefix}{position}.{part}": np.ascontiguousarray(
            arrays[f"{layer}.kernel"].transpose(3, 2, 0, 1) if part == "weight" else arrays[f"{layer}.bias"]
        )
        for position, layer in LAYERS.items()
        for part in ("weight", "bias")
    }, arrays


@pytest.mark.parametrize(
    "prefix",
    [
        *("features.", "", "module.features.", "features.module.", "_orig_mod.features.", "model.features."),
        *("module._orig_mod.model.features.", "backbone.features.", "encoder.vgg.features.", "net.", "vgg."),
        *("0.", "loss_network.vgg_layers.", "net.features.module.", "_fsdp_wrapped_module.features."),
    ],
)
def test_a_prefix_that_all_names_share(tmp_path, prefix, caplog):
    state, arrays = torchvision_state(prefix)
    save_file(state, tmp_path / "w")
    assert_same(load(tmp_path / "w", "vgg19"), arrays)
    assert "skipped" not in caplog.text


def test_slices_of_the_list_of_layers(tmp_path):
    state, arrays = torchvision_state("net.slice1.")
    renamed = {name.replace("slice1.5", "slice2.5"): array for name, array in state.items()}
    save_file(renamed, tmp_path / "w")
    assert_same(load(tmp_path / "w", "vgg19"), arrays)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "backbone.", ""])
def test_prefixes_before_our_own_names(tmp_path, prefix):
    arrays = first_layers("conv1_1", "conv1_2")
    save_file({f"{prefix}{name}": array for name, array in arrays.items()}, tmp_path / "w")
    assert_same(load(tmp_path / "w", "vgg19"), arrays)


@pytest.mark.parametrize(
    "wrappers",
    [
        *([], ["state_dict"], ["model_state_dict"], ["model_state"], ["net"], ["model"], ["params"]),
        *(["checkpoint", "model"], ["weights", "state_dict"]),
    ],
)
def test_wrappers_in_a_checkpoint(tmp_path, wrappers):
    torch = pytest.importorskip("torch")
    state, arrays = torchvision_state()
    value = {name: torch.from_numpy(array) for name, array in state.items()}
    for wrapper in wrappers[::-1]:
        value = {wrapper: value}
    moments = {"exp_avg": torch.zeros(3), "step": 7}
    value |= {"epoch": 3, "acc": np.float64(0.5), "optimizer": {"state": {0: moments}, "param_groups": [{}]}}
    torch.save(value, tmp_path / "w.pth")
    assert_same(load(tmp_path / "w.pth", "vgg19"), arrays)


def test_two_networks_in_a_checkpoint_are_said(tmp_path, caplog):
    torch = pytest.importorskip("torch")
    state, arrays = torchvision_state()
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    averaged = {name: tensor + 1 for name, tensor in tensors.items()}
    torch.save({"params": tensors, "params_ema": averaged}, tmp_path / "w.pth")
    assert_same(load(tmp_path / "w.pth", "vgg19"), arrays)
    assert "skipped arrays" in caplog.text
    assert "params_ema.features.0.weight" in caplog.text


@pytest.mark.parametrize(
    "head",
    [
        *("decoder.0.weight", "my_head.weight", "loc.0.weight", "extras.3.bias", "mlp.out.weight"),
        *("features.37.weight", "norm.running_mean", "conv6.weight", "module.lin0.model.1.weight"),
    ],
)
def test_layers_after_the_convolutions_are_skipped_with_a_warning(tmp_path, head, caplog):
    state, arrays = torchvision_state()
    save_file(state | {head: np.zeros((4, 2), "f4")}, tmp_path / "w")
    assert_same(load(tmp_path / "w", "vgg19"), arrays)
    assert f"w: skipped arrays that are no convolutions of vgg19: {head}" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        *("head.fc.weight", "pre_logits.fc1.weight", "classifier.0.weight", "model.classifier.6.bias"),
        *(
            "optimizer.state.0.exp_avg",
            "optimizer_state_dict.state.0.exp_avg",
            "features.1.num_batches_tracked",
        ),
    ],
)
def test_classifiers_and_optimisers_are_skipped_in_silence(tmp_path, name, caplog):
    state, arrays = torchvision_state()
    save_file(state | {name: np.zeros((4, 2), "f4")}, tmp_path / "w")
    assert_same(load(tmp_path / "w", "vgg19"), arrays)
    assert "skipped" not in caplog.text


@pytest.mark.parametrize("name", ["features.3.weight", "features.4.bias", "conv1_9.bias", "extra"])
def test_layers_between_the_convolutions_are_refused(tmp_path, name):
    state, _ = torchvision_state()
    save_file(state | {name: np.zeros(4, "f4")}, tmp_path / "w")
    with pytest.raises(UserError, match=f"arrays that vgg19 does not have: {name}"):
        load(tmp_path / "w", "vgg19")


@pytest.mark.parametrize("names", [["conv1.weight", "layer1.0.conv1.weight", "fc.weight"], ["a.b", "c.d"]])
def test_a_file_without_convolutions_is_refused(tmp_path, names):
    save_file({name: np.zeros(4, "f4") for name in names}, tmp_path / "w")
    with pytest.raises(UserError, match="arrays that vgg19 does not have"):
        load(tmp_path / "w", "vgg19")


def test_a_list_without_a_name_must_start_at_a_picture(tmp_path):
    """Part of a ResNet: the first of a list of layers, but not of a network."""
    kernel = np.zeros((64, 64, 3, 3), "f4")
    save_file(
        {"layer2.0.downsample.0.weight": kernel, "layer2.0.downsample.0.bias": kernel[:, 0, 0, 0].copy()},
        tmp_path / "w",
    )
    with pytest.raises(UserError, match=r"arrays that vgg19 does not have: layer2\.0\.downsample"):
        load(tmp_path / "w", "vgg19")


def test_keras_optimisers_and_heads(tmp_path, caplog):
    arrays = conv1_1()
    named = {f"block1_conv1/block1_conv1/{part}:0": arrays[f"conv1_1.{part}"] for part in ("kernel", "bias")}
    stored = {f"model_weights/{name}": array for name, array in named.items()}
    for slot in ("Adam/m", "Adam/v", "training/Adam"):
        stored |= {f"optimizer_weights/{slot}/{name}": array + 1 for name, array in named.items()}
    stored |= {"model_weights/my_head/my_head/kernel": np.zeros((4, 2)), "_optimizer/vars/1": np.zeros(3)}
    assert_same(load(write_h5(tmp_path / "w", stored), "vgg19"), arrays)
    assert (
        "skipped arrays that are no convolutions of vgg19: model_weights/my_head/my_head/kernel"
        in caplog.text
    )


@pytest.mark.parametrize("prefix", ["", "module.", "model.features."])
def test_vgg_with_batch_normalisation_is_folded(tmp_path, prefix):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    modules = []
    for inputs, outputs in ((3, 64), (64, 64)):
        modules += [torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.BatchNorm2d(outputs)]
        modules += [torch.nn.ReLU()]
    network = torch.nn.Sequential(*modules).eval()
    for norm in network[1::3]:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.running_mean)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    start = prefix if prefix.endswith("features.") else f"{prefix}features."
    state = {f"{start}{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    weights = load(write_torch(tmp_path / "w.pth", state), "vgg19")
    assert weights.layers() == ("conv1_1", "conv1_2")
    picture = torch.randn(1, 3, 8, 8)
    x = picture
    for layer in weights.layers():
        kernel = torch.from_numpy(weights.arrays[f"{layer}.kernel"].transpose(3, 2, 0, 1).copy())
        bias = torch.from_numpy(weights.arrays[f"{layer}.bias"].copy())
        x = torch.nn.functional.conv2d(x, kernel, bias, padding=1).relu()
    with torch.no_grad():
        np.testing.assert_allclose(x.numpy(), network(picture).numpy(), atol=1e-4)


@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_the_positions_with_batch_normalisation(arch):
    """torchvision: convolution, normalisation and ReLU take three positions, a pooling one."""
    (modules,) = architecture(arch).variants
    position, expected = 0, {}
    for layer in architecture(arch).layers:
        if layer.weighted:
            expected |= {f"features.{position}": layer.name, f"features.{position + 1}": f"{layer.name}.norm"}
        position += 3 if layer.weighted else 1
    assert modules == expected


def timm_names(state):
    renamed = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
    arrays = {}
    for name, array in state.items():
        module, _, part = name.rpartition(".")
        if part == "weight" and module in ("classifier.0", "classifier.3"):
            side = 7 if module == "classifier.0" else 1
            array = array.reshape(len(array), -1, side, side)
        arrays[f"{renamed.get(module, module)}.{part}"] = array
    return arrays


def flaxmodels_names(state):
    """The dense kernels are PyTorch's, transposed."""
    layers = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}
    return {
        f"{layers[module]}/{part}": array.T
        for name, array in state.items()
        for module, _, part in [name.rpartition(".")]
        if module in layers
    }


def numpy_names(state):
    return {
        name.replace(".kernel", "_W").replace(".bias", "_b"): array
        for name, array in canonical(state).items()
        if name.startswith("fc")
    }


@pytest.mark.parametrize("kind", ["torchvision", "prefixed", "timm", "flaxmodels", "numpy"])
def test_classifiers_of_all_families(tmp_path, kind):
    state = state_dict()
    path = tmp_path / "w"
    if kind == "flaxmodels":
        write_h5(path, flaxmodels_names(state))
    elif kind == "numpy":
        np.savez(tmp_path / "w.npz", **numpy_names(state))
        path = tmp_path / "w.npz"
    elif kind == "timm":
        save_file(timm_names(state), path)
    else:
        prefix = "net." if kind == "prefixed" else ""
        save_file({f"{prefix}{name}": array for name, array in state.items()}, path)
    classifier = load_classifier(path, "slim")
    assert classifier.classes == CLASSES
    for name, array in canonical(state).items():
        if name.startswith("fc"):
            np.testing.assert_array_equal(classifier.arrays[name], array)
