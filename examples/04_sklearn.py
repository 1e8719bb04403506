"""scikit-learn: TransferClassifier in a pipeline and a grid search, on scikit-learn's own digits."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headstart import TransferClassifier


def main() -> float:
    """Search over techniques inside a pipeline; the accuracy on rows that the search did not see."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X[:400], y[:400], test_size=0.25, stratify=y[:400], random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), TransferClassifier())
    search = GridSearchCV(pipeline, {"transferclassifier__technique": ["knn", "ridge", "prototypes"]}, cv=3)
    search.fit(X_train, y_train)
    accuracy = float(search.score(X_test, y_test))
    print("best:", search.best_params_, f"accuracy on {len(X_test)} unseen rows: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
