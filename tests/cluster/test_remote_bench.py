"""A bench on a real cluster of this machine."""

import numpy as np
import pytest

from tests.bench.test_bench import BENCH, flags_of, rows_of
from tests.command import call, pixels

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
COSTS = {"seconds", "process_peak_mib", "painted_together"}


def test_a_cluster_paints_and_judges_what_one_machine_does(cluster, tiny_weights, tmp_path):
    alone, remote = tmp_path / "alone", tmp_path / "remote"
    for folder, more in ((alone, []), (remote, [f"--cluster={cluster.address}"])):
        done = call(*flags_of(tiny_weights, folder), "--batch=2", *more, module=BENCH)
        assert done.returncode == 0, done.stderr
        assert "8 runs (8 done)" in done.stdout
    for here, there in zip(rows_of(alone / "bench.csv"), rows_of(remote / "bench.csv"), strict=True):
        assert {**here, **dict.fromkeys(COSTS)} == {**there, **dict.fromkeys(COSTS)}
        pictures = (pixels(folder / here["run"] / "result.png") for folder in (alone, remote))
        np.testing.assert_array_equal(*pictures)
