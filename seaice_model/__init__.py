"""Train the multi-task U-Net on a patch store, draw ice charts with it, and score them.

The names below are for users, and are imported when they are first asked for: the
settings load without PyTorch. Training is not among them, because its module has the same
name: ``from seaice_model.training.train import train``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seaice_model.config.presets import PRESETS, PROFILES, find_preset, find_profile
    from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
    from seaice_model.errors import ConfigError, MapError, RunError
    from seaice_model.maps.chart_map import ChartMap, Provenance, read_netcdf, write_netcdf
    from seaice_model.maps.decision import Decision
    from seaice_model.metrics import ChartScorer, Scores
    from seaice_model.networks.published_weights import load_reference_state_dict
    from seaice_model.networks.unet import MultiTaskUNet, Prediction
    from seaice_model.pages.index import write_index
    from seaice_model.pages.scores import write_report
    from seaice_model.prediction.compose import draw_chart_map
    from seaice_model.prediction.predict import (
        PredictReport,
        PredictSettings,
        predict_files,
        predict_scene,
        predict_store,
    )
    from seaice_model.prediction.predictor import Predictor
    from seaice_model.runs.checkpoint import Checkpoint, load_best
    from seaice_model.scores.score import ScoreReport, score_maps
    from seaice_model.training.losses import (
        Losses,
        masked_cross_entropy,
        masked_focal,
        masked_mse,
        masked_ordinal,
        total_loss,
    )
    from seaice_model.training.progress import TrainReport

__all__ = [
    "PRESETS",
    "PROFILES",
    "ChartMap",
    "ChartScorer",
    "Checkpoint",
    "ConfigError",
    "Decision",
    "Losses",
    "MapError",
    "ModelConfig",
    "MultiTaskUNet",
    "PredictReport",
    "PredictSettings",
    "Prediction",
    "Predictor",
    "Provenance",
    "RunConfig",
    "RunError",
    "ScoreReport",
    "Scores",
    "TrainConfig",
    "TrainReport",
    "draw_chart_map",
    "find_preset",
    "find_profile",
    "load_best",
    "load_reference_state_dict",
    "masked_cross_entropy",
    "masked_focal",
    "masked_mse",
    "masked_ordinal",
    "predict_files",
    "predict_scene",
    "predict_store",
    "read_netcdf",
    "score_maps",
    "total_loss",
    "write_index",
    "write_netcdf",
    "write_report",
]

_MODULES = {
    "runs.checkpoint": ("Checkpoint", "load_best"),
    "config.run_config": ("ModelConfig", "RunConfig", "TrainConfig"),
    "maps.decision": ("Decision",),
    "errors": ("ConfigError", "MapError", "RunError"),
    "pages.index": ("write_index",),
    "training.losses": (
        "Losses",
        "masked_cross_entropy",
        "masked_focal",
        "masked_mse",
        "masked_ordinal",
        "total_loss",
    ),
    "prediction.compose": ("draw_chart_map",),
    "maps.chart_map": ("ChartMap", "Provenance", "read_netcdf", "write_netcdf"),
    "metrics": ("ChartScorer", "Scores"),
    "prediction.predict": (
        "PredictReport",
        "PredictSettings",
        "predict_files",
        "predict_scene",
        "predict_store",
    ),
    "prediction.predictor": ("Predictor",),
    "config.presets": ("PRESETS", "PROFILES", "find_preset", "find_profile"),
    "networks.published_weights": ("load_reference_state_dict",),
    "training.progress": ("TrainReport",),
    "scores.score": ("ScoreReport", "score_maps"),
    "pages.scores": ("write_report",),
    "networks.unet": ("MultiTaskUNet", "Prediction"),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"seaice_model.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
