"""One system per file; `find` looks them up by module name."""

import importlib
import pkgutil

import keras

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.models.alad import ALAD
from tf_bigan.models.ali import ALI
from tf_bigan.models.alice import ALICE
from tf_bigan.models.autoencoder import Autoencoder
from tf_bigan.models.began import BEGAN
from tf_bigan.models.bigan import BiGAN
from tf_bigan.models.bigbigan import BigBiGAN
from tf_bigan.models.cycle_bigan import CycleBiGAN
from tf_bigan.models.dann import DANN
from tf_bigan.models.ebgan import EBGAN
from tf_bigan.models.gan import GAN
from tf_bigan.models.infogan import InfoGAN
from tf_bigan.models.joint_latent_regressor import JointLatentRegressor
from tf_bigan.models.latent_regressor import LatentRegressor
from tf_bigan.models.loss_sensitive_gan import LossSensitiveGAN
from tf_bigan.models.magan import MAGAN
from tf_bigan.models.sgan import SGAN
from tf_bigan.models.triple_gan import TripleGAN
from tf_bigan.models.vae_gan import VAEGAN
from tf_bigan.models.wgan_gp import WGANGP

__all__ = [
    "ALAD",
    "ALI",
    "ALICE",
    "Autoencoder",
    "BEGAN",
    "BiGAN",
    "BigBiGAN",
    "CycleBiGAN",
    "DANN",
    "EBGAN",
    "GAN",
    "InfoGAN",
    "JointLatentRegressor",
    "LatentRegressor",
    "LossSensitiveGAN",
    "MAGAN",
    "SGAN",
    "TripleGAN",
    "VAEGAN",
    "WGANGP",
    "find",
    "names",
]


def names() -> list[str]:
    """The systems of this package."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def find(name: str) -> type[AdversarialModel]:
    """The system defined in a module: "bigan", or "my_package.my_model" for your own system.

    Raises:
        UserError: there is no such module, or it does not define exactly one system.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"model={name}: give a name, or a module such as my_package.my_model")
    path = name if "." in name else f"{__name__}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise  # the module exists, but an import in it fails
        hint = (
            did_you_mean(name, names())
            if path != name
            else f": no module {error.name} on Python's path"
        )
        raise UserError(f"model={name} is unknown{hint}") from None
    systems = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, AdversarialModel)
        and value.__module__ == module.__name__
    ]
    if len(systems) != 1:
        raise UserError(f"model={name}: {path} defines {len(systems)} systems instead of one")
    system = systems[0]
    if keras.saving.get_registered_object(keras.saving.get_registered_name(system)) is not system:
        raise UserError(
            f"model={name}: {system.__name__} could not be loaded again: put "
            '@keras.saving.register_keras_serializable("my_package") before its class'
        )
    return system
