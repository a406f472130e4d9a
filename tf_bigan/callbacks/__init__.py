"""What happens around the training: checkpoints, pictures, curves, metrics, warnings."""

from tf_bigan.callbacks.checkpoint import Checkpoint
from tf_bigan.callbacks.guard import Guard
from tf_bigan.callbacks.metrics import Evaluation
from tf_bigan.callbacks.periodic import Periodic
from tf_bigan.callbacks.pictures import InterpolationGrid, ReconstructionGrid, SampleGrid
from tf_bigan.callbacks.profile import Profile
from tf_bigan.callbacks.progress import Progress
from tf_bigan.callbacks.restore import latest, restore
from tf_bigan.callbacks.saving import save_model
from tf_bigan.callbacks.signals import StopOnSignal
from tf_bigan.callbacks.tensorboard import Dashboard

__all__ = [
    "Checkpoint",
    "Dashboard",
    "Evaluation",
    "Guard",
    "InterpolationGrid",
    "Periodic",
    "Profile",
    "Progress",
    "ReconstructionGrid",
    "SampleGrid",
    "StopOnSignal",
    "latest",
    "restore",
    "save_model",
]
