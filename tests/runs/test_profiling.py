"""A trace of a run's steps."""

import gzip
import json

from tests.command import call, tiny


def test_a_trace_holds_steps_of_the_run(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path, log_every=2), "--profile=4")
    assert result.returncode == 0, result.stderr
    (file,) = (tmp_path / "profile").rglob("perfetto_trace.json.gz")
    events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    names = {str(event.get("name")) for event in events}
    assert any("loop.py" in name for name in names), "Python's calls"
    assert any("fusion" in name for name in names), "XLA's operations"
    assert any((tmp_path / "profile").rglob("*.xplane.pb"))
