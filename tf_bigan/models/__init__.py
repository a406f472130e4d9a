"""One system a file; `find` knows them by the name of their module."""

import importlib
import pkgutil

from tf_bigan.config import did_you_mean
from tf_bigan.errors import UserError
from tf_bigan.game import AdversarialModel
from tf_bigan.models.bigan import BiGAN

__all__ = ["BiGAN", "find", "names"]


def names() -> list[str]:
    """The systems of this package."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def find(name: str) -> type[AdversarialModel]:
    """The system in a module: "bigan", or "my_package.my_model" for one of your own.

    Raises:
        UserError: there is no such module, or it does not define exactly one system.
    """
    path = name if "." in name else f"{__name__}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not path.startswith(error.name):
            raise  # the module is there, but something that it imports is not
        raise UserError(f"--model={name} is unknown{did_you_mean(name, names())}") from None
    systems = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, AdversarialModel)
        and value.__module__ == module.__name__
    ]
    if len(systems) != 1:
        raise UserError(f"--model={name}: {path} defines {len(systems)} systems instead of one")
    return systems[0]
