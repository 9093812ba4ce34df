"""Runs in MLflow, at MLFLOW_TRACKING_URI or by default in the database mlflow.db."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from nst_jax import files
from nst_jax.runs.logs.log import Log, Writer

EXPERIMENT = "nst_jax"  # unless MLFLOW_EXPERIMENT_NAME names another
ID = "mlflow-id.txt"  # in a run folder: the run to continue
LONGEST = 500  # characters of a parameter that MLflow keeps
BATCH = 100  # parameters in a request


def _start(run: Path, settings: Mapping[str, Any]) -> Writer:
    import mlflow
    from mlflow.entities import Metric, Param
    from mlflow.environment_variables import MLFLOW_EXPERIMENT_NAME
    from mlflow.utils.time import get_current_time_millis

    client = mlflow.MlflowClient()
    if not (run / ID).exists():
        name = MLFLOW_EXPERIMENT_NAME.get() or EXPERIMENT
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        begun = client.create_run(experiment, run_name=run.name).info.run_id
        params = [Param(name, str(value)[:LONGEST]) for name, value in settings.items()]
        for first in range(0, len(params), BATCH):
            client.log_batch(begun, params=params[first : first + BATCH])
        files.write_text(run / ID, begun)
    number = (run / ID).read_text(encoding="utf-8")
    client.update_run(number, status="RUNNING")

    def curves(step: int, values: Mapping[str, Any]) -> None:
        now = get_current_time_millis()
        client.log_batch(number, [Metric(name, value, now, step) for name, value in values.items()])

    def picture(step: int, name: str, pixels: UInt8[ndarray, "h w 3"]) -> None:
        client.log_image(number, Image.fromarray(pixels), artifact_file=f"{name}/{step:06d}.png")

    return Writer(curves, picture, lambda: None, lambda: client.set_terminated(number))


MLFLOW = Log("mlflow", lambda run: (run / ID).exists(), _start)
