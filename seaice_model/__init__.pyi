# The public names, listed once; `__init__.py` loads each when it is first used.
from .config.presets import PRESETS as PRESETS
from .config.presets import PROFILES as PROFILES
from .config.presets import find_preset as find_preset
from .config.presets import find_profile as find_profile
from .config.run_config import ModelConfig as ModelConfig
from .config.run_config import RunConfig as RunConfig
from .config.run_config import TrainConfig as TrainConfig
from .errors import ConfigError as ConfigError
from .errors import MapError as MapError
from .errors import RunError as RunError
from .maps.chart_map import ChartMap as ChartMap
from .maps.chart_map import Provenance as Provenance
from .maps.decision import Decision as Decision
from .maps.netcdf import read_netcdf as read_netcdf
from .maps.netcdf import write_netcdf as write_netcdf
from .metrics import ChartScorer as ChartScorer
from .metrics import Scores as Scores
from .networks.published_weights import (
    load_official_state_dict as load_official_state_dict,
)
from .networks.unet import MultiTaskUNet as MultiTaskUNet
from .networks.unet import Prediction as Prediction
from .pages.index import write_index as write_index
from .pages.scores import write_report as write_report
from .prediction.compose import compose_chart_map as compose_chart_map
from .prediction.predict import PredictReport as PredictReport
from .prediction.predict import PredictSettings as PredictSettings
from .prediction.predict import predict_files as predict_files
from .prediction.predict import predict_scene as predict_scene
from .prediction.predict import predict_store as predict_store
from .prediction.predictor import Predictor as Predictor
from .runs.checkpoint import Checkpoint as Checkpoint
from .runs.checkpoint import load_best as load_best
from .scores.score import ScoreReport as ScoreReport
from .scores.score import score_maps as score_maps
from .training.losses import Losses as Losses
from .training.losses import masked_cross_entropy as masked_cross_entropy
from .training.losses import masked_focal as masked_focal
from .training.losses import masked_mse as masked_mse
from .training.losses import masked_ordinal as masked_ordinal
from .training.losses import total_loss as total_loss
from .training.progress import TrainReport as TrainReport
from .training.train import train as train
