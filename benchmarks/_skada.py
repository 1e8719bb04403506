"""skada's side of `benchmarks.skada_beside`, in the peer's environment: `python -m benchmarks._skada ROWS.npz`.

Every method stands with skada's defaults between a StandardScaler and the logistic regression of doing nothing, is
cross-validated by skada's own splitter with skada's own scorers, and is then fitted on all rows. Set otherwise are the
subspaces' width and the regularisation of LinearOTMapping, whose covariances have no inverse here. No label of the
target is in the file.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np

FLOOR, SPLITS, MASK = "nothing", 3, -1
WIDE = 20  # columns of a common subspace: by default it would be all of them


def methods(columns: int) -> dict[str, Any]:
    """Pipelines by name for rows of so many columns; doing nothing is one of them.

    OTLabelProp (skada 0.6.0) is left out: of its own labels for these target rows half and less were right.
    """
    import skada
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    head = LogisticRegression(C=0.01, max_iter=500)  # the strength of our own inner classifier
    head = head.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    between = {
        "CORAL": skada.CORALAdapter(),
        "SubspaceAlignment": skada.SubspaceAlignmentAdapter(n_components=min(WIDE, columns)),
        "TCA": skada.TransferComponentAnalysisAdapter(n_components=min(WIDE, columns)),
        "LinearOTMapping": skada.LinearOTMappingAdapter(reg=1e-2),
        "OTMapping": skada.OTMappingAdapter(),
        "EntropicOTMapping": skada.EntropicOTMappingAdapter(norm="median"),
        "ClassRegularizerOTMapping": skada.ClassRegularizerOTMappingAdapter(),
        "KLIEPReweight": skada.KLIEPReweightAdapter(gamma="auto"),
        "KMMReweight": skada.KMMReweightAdapter(),
        "DensityReweight": skada.DensityReweightAdapter(),
        "DiscriminatorReweight": skada.DiscriminatorReweightAdapter(),
    }
    found = {FLOOR: skada.make_da_pipeline(StandardScaler(), head)}
    found |= {name: skada.make_da_pipeline(StandardScaler(), adapter, head) for name, adapter in between.items()}
    found["JDOT"] = skada.make_da_pipeline(StandardScaler(), skada.JDOTClassifier(head))
    return found


def scorers() -> dict[str, Any]:
    """skada's ways to choose without labels of the target; higher is better of each."""
    from skada import metrics

    return {
        "ImportanceWeighted": metrics.ImportanceWeightedScorer(),
        "PredictionEntropy": metrics.PredictionEntropyScorer(),
        "SoftNeighborhoodDensity": metrics.SoftNeighborhoodDensity(),
        "DeepEmbeddedValidation": metrics.DeepEmbeddedValidation(random_state=0),
        "CircularValidation": metrics.CircularValidation(),
        "MixVal": metrics.MixValScorer(random_state=0),
        "MaNo": metrics.MaNoScorer(),
    }


def main(file: str) -> None:
    from skada.model_selection import SourceTargetShuffleSplit
    from sklearn.model_selection import cross_validate

    data = np.load(file)
    X = np.concatenate([data["source"], data["target"]])
    domain = np.repeat([1, -2], [len(data["source"]), len(data["target"])])
    y = np.concatenate([data["y"], np.full(len(data["target"]), MASK)])
    cv = SourceTargetShuffleSplit(n_splits=SPLITS, test_size=0.25, random_state=0)
    said: dict[str, Any] = {"told": {}, "scores": {}, "seconds": {}, "failed": {}}
    for name, method in methods(X.shape[1]).items():
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = cross_validate(
                    method, X, y, cv=cv, scoring=scorers(), params={"sample_domain": domain}, error_score=np.nan
                )
                method.fit(X, y, sample_domain=domain)
                told = method.predict(data["target"], sample_domain=domain[domain < 0])
        except Exception as error:  # a peer's method that cannot be used on these rows stands in the table as such
            said["failed"][name] = f"{type(error).__name__}: {error}"[:200]
            continue
        said["told"][name] = np.asarray(told).astype(int).tolist()
        said["scores"][name] = {s: float(found[f"test_{s}"].mean()) for s in scorers()}
        said["seconds"][name] = round(time.process_time() - start, 2)
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])
