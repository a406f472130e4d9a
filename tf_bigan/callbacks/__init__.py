"""Callbacks for `model.fit`. Keras's callbacks work too, except those that `fit` rejects.

Checkpoint          saves the full state of the training, and the best model
Evaluation          computes metrics every few epochs and appends them to a JSON Lines file
Dashboard           writes curves, histograms, pictures and an embedding for TensorBoard
SampleGrid          pictures of G(z) as PNG files
ReconstructionGrid  pictures of x above G(E(x))
InterpolationGrid   pictures of G between the codes of two images
Guard               warns when the discriminator wins or the samples collapse
Progress            a progress bar, and a line per epoch
Profile             profiles a range of steps for TensorBoard
StopOnSignal        stops the training cleanly after Ctrl-C or SIGTERM
Periodic            base class for a callback that acts every few epochs

save_model, restore, latest: write a checkpoint, load the newest, find the newest
"""

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
