"""scikit-learn on a cluster: ``python -m examples.ecosystem.grid_search``.

joblib sends the fits of a grid search to the cluster; nothing in the program but its first two lines knows dagrpc.
"""

import dagrpc

dagrpc.install_as_distributed()

import joblib  # noqa: E402
from dask.distributed import Client  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.svm import SVC  # noqa: E402


def main() -> float:
    """Find the best parameters, and return their score."""
    images, digits = load_digits(n_class=4, return_X_y=True)
    with Client(n_workers=2, threads_per_worker=1):
        search = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0], "gamma": [1e-3, 1e-2]}, cv=3)
        with joblib.parallel_config("dask"):
            search.fit(images, digits)
    score = float(search.best_score_)
    print(f"best parameters {search.best_params_}: {score:.1%} right")
    return score


if __name__ == "__main__":
    main()
