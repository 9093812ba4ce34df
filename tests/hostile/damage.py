"""Damage to files and run folders, and values that no field expects; all from a seeded generator."""

import json
import os
import random
import shutil

FILES = ("config.json", "run.json", "metrics.jsonl", "checkpoint.safetensors", "result.png", "progress")
# Values for a field of a JSON file, or of a config.
ODD_VALUES = (
    *(None, True, False, 0, 1, -1, 3, 10**20, -(10**20), 2**31, 2**63, 0.0, -0.5, 1e-50, 1e39, 1e300),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "a", "../../elsewhere", "/dev/zero", "nan", "\0"),
    *("line\nbreak", "\x1b[31mred\x1b[0m", "\udcff", "ü€😀", "x" * 5000, "{}", "sample:", "folder:", "~"),
    *([], [[]], [1, [2]], ["a", 1], {}, {"a": 1}, {"a": {"b": None}}, [None], (1.0,), (), (0.5, 1.0)),
)


def damaged(content: bytes, generator: random.Random) -> bytes:
    """A few bytes changed, lost, added or repeated, mostly in the head and the tail, where structure lies."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        if not data:
            break
        place = generator.randrange(min(len(data), generator.choice((30, 300, 1500, len(data)))))
        place = generator.choice((place, len(data) - 1 - place))
        kind = generator.randrange(8)
        if kind == 0:
            del data[place : place + generator.choice((1, 4, 50, len(data)))]
        elif kind == 1:
            data[place:place] = generator.randbytes(generator.choice((1, 4, 8, 300)))
        elif kind == 2:
            data[place : place + 8] = bytes([generator.choice((0, 0x7F, 0xFF))]) * len(
                data[place : place + 8]
            )
        elif kind == 3:
            data[place:place] = data[place : place + generator.choice((4, 64, 1000))]
        else:
            data[place] ^= 1 << generator.randrange(8)
    return bytes(data)


def with_odd_value(value: object, generator: random.Random) -> object:
    """A JSON value with one of its parts replaced by an odd value, or removed."""
    if isinstance(value, dict) and value and generator.random() < 0.9:
        name = generator.choice(sorted(value))
        if generator.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if generator.random() < 0.1:
            return {**value, generator.choice(("x", "", "\n", "size ")): generator.choice(ODD_VALUES)}
        return {**value, name: with_odd_value(value[name], generator)}
    if isinstance(value, list) and value and generator.random() < 0.9:
        index = generator.randrange(len(value))
        return [*value[:index], with_odd_value(value[index], generator), *value[index + 1 :]]
    return generator.choice(ODD_VALUES)


def edit_json(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def mutate(folder, generator):
    """Damage one file of a run folder in one way; return whether its settings may have changed."""
    name = generator.choice([name for name in FILES if (folder / name).exists()])
    path, kind = folder / name, generator.randrange(10)
    if kind < 4 and path.suffix == ".json" and path.is_file():
        try:
            values = json.loads(path.read_bytes())
        except ValueError:  # it has been damaged before
            values = {}
        path.write_text(json.dumps(with_odd_value(values, generator)))
    elif kind < 8 and path.is_file():
        path.write_bytes(damaged(path.read_bytes(), generator))
    else:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        replace = generator.randrange(5)
        if replace == 0:
            path.mkdir()
        elif replace == 1:
            os.mkfifo(path)
        elif replace == 2:
            path.symlink_to(generator.choice(("nothing", path.name, "/dev/zero", "/dev/full")))
        elif replace == 3:
            path.write_bytes(generator.randbytes(generator.choice((0, 3, 1000))))
    return name == "config.json"
