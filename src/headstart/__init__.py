"""headstart: give a small labelled data set the benefit of pre-trained models, with an honest verdict.

Importing it loads neither torch nor scikit-learn; the public names load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "run": "job",
    "load": "model",
    "Plan": "plan",
    "Result": "result",
    "Model": "model",
    "adapt": "domains",
    "audit_run": "audits",
    "DomainAdaptationClassifier": "estimators",
    "TransferClassifier": "estimators",
    "TransferRegressor": "estimators",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  (all are strings)

if TYPE_CHECKING:
    from headstart.audits import audit_run as audit_run
    from headstart.domains import adapt as adapt
    from headstart.estimators import DomainAdaptationClassifier as DomainAdaptationClassifier
    from headstart.estimators import TransferClassifier as TransferClassifier
    from headstart.estimators import TransferRegressor as TransferRegressor
    from headstart.job import run as run
    from headstart.model import Model as Model
    from headstart.model import load as load
    from headstart.plan import Plan as Plan
    from headstart.result import Result as Result


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    return getattr(import_module(f"headstart.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
