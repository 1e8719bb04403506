"""A table with groups: patients with several visits each stay on one side of the split, and the target is a number."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import headstart


def visits(patients: int = 60, seed: int = 0) -> pd.DataFrame:
    """Three visits a patient; the pressure depends on age, weight and smoking, and on the patient."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 3)
    age = rng.integers(20, 80, patients)[patient]
    weight = rng.normal(75, 12, len(patient)).round(1)
    smokes = rng.choice(["yes", "no", "unknown"], patients)[patient]
    own = rng.normal(0, 3, patients)[patient]
    pressure = 90 + 0.5 * age + 0.2 * weight + 8 * (smokes == "yes") + own + rng.normal(0, 3, len(patient))
    weight[rng.random(len(weight)) < 0.05] = np.nan  # missing values are read as such
    return pd.DataFrame(
        {
            "patient": [f"p{p:03d}" for p in patient],
            "age": age,
            "weight": weight,
            "smokes": smokes,
            "pressure": pressure,
        }
    )


def main(folder: Path) -> headstart.Result:
    """Run on the CSV, print what was read and how well the pressure of unseen patients is told."""
    visits().to_csv(folder / "visits.csv", index=False)
    result = headstart.run(
        folder / "visits.csv",
        target="pressure",
        group="patient",
        budget="30s",
        out=str(folder / "run"),
        cache=str(folder / "cache"),
    )
    for note in result.data["notes"]:
        print("note:", note)
    print("test:", result.test)
    new = visits(seed=1).head(3)
    print(new.assign(told=headstart.load(folder / "run").predict(new).round(1)))
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(place))
