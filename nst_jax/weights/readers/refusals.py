"""Files and folders that people have but that cannot be read: each is named, with a way to go on."""

from pathlib import Path

FORMATS = (
    "safetensors, Keras .h5 and .keras, PyTorch .pth, MatConvNet .mat, NumPy .npz and .npy, Flax .msgpack, "
    "TensorFlow.js"
)
_FETCH = "`python -m nst_jax.weights fetch vgg19` downloads the same filters"
_PICKLE = (
    "a Python pickle, which is a program; unpickle it where you trust it, and save its arrays with "
    "safetensors.numpy.save_file"
)
_ONNX = (
    "an ONNX model; save its weights: safetensors.numpy.save_file({t.name: onnx.numpy_helper.to_array(t) for "
    "t in onnx.load(FILE).graph.initializer}, NEW_FILE)"
)
_CAFFE = f"a Caffe model; {_FETCH}"
_CHECKPOINT = "a TensorFlow checkpoint; load it in TensorFlow, and save its variables with numpy.savez"
_ARCHIVE = "a compressed archive; unpack it, and give the weight file in it"
_HEADS = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself; run `git lfs pull` in its repository",
    ),
    (
        b"MATLAB 7.3",
        "MATLAB 7.3 files are not supported; save it with -v7, or use the original MatConvNet file",
    ),
    (b"<", "a web page, not a weight file: the download failed"),
    (b"\x1f\x8b", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ", _ARCHIVE),
    (b"7z\xbc\xaf", _ARCHIVE),
    *((bytes([0x80, protocol]), _PICKLE) for protocol in range(2, 6)),
)
_MARKS = (
    (b"VGG_ILSVRC", _CAFFE),
    (b"\x07pytorch", _ONNX),
    (b"onnx", _ONNX),
    (b"ustar", _ARCHIVE),
    (b"TFL3", "a TensorFlow Lite model; use the Keras model that it was made from"),
)
_SUFFIXES = {
    ".onnx": _ONNX,
    ".caffemodel": _CAFFE,
    ".prototxt": f"the description of a Caffe model, without weights; {_FETCH}",
    ".t7": f"a file of Torch 7; {_FETCH}",
    ".ckpt": _CHECKPOINT,
    ".index": _CHECKPOINT,
    ".meta": _CHECKPOINT,
    ".pb": "a frozen TensorFlow graph; use the Keras model that it was made from",
    ".params": "a file of MXNet; save its arrays with mxnet.npx.savez as .npz",
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
}
# A file of a folder -> what the folder is.
_HUB_FILES = (
    *("model.safetensors", "model.weights.h5", "pytorch_model.bin", "flax_model.msgpack", "tf_model.h5"),
    *("diffusion_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
)


def complaint(path: Path, head: bytes) -> str:
    """Why a file that starts with `head` cannot be read."""
    if not head:
        return "the file is empty"
    for start, message in _HEADS:
        if head.lstrip().startswith(start):
            return message
    for mark, message in _MARKS:
        if mark in head:
            return message
    return _SUFFIXES.get(path.suffix.lower(), f"not a supported weight format; choices: {FORMATS}")


def folder_complaint(folder: Path) -> str | None:
    """Why a folder other than one of TensorFlow.js cannot be read; None if it is not known either."""
    if (folder / "saved_model.pb").exists():
        return "a TensorFlow SavedModel; load it in Keras, and save its weights as .weights.h5"
    if any((folder / name).exists() for name in ("_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt")):
        return "a checkpoint of Orbax; restore it, and save it with flax.serialization.msgpack_serialize"
    for inside in (folder, *sorted(folder.glob("snapshots/*"))[:8]):
        for name in _HUB_FILES:
            if (inside / name).exists():
                return f"a folder of a model hub; give the file in it: {inside / name}"
    if (folder / "snapshots").is_dir() or (folder / "config.json").exists():
        return "a folder of a model hub without a weight file; download the whole model"
    return None
