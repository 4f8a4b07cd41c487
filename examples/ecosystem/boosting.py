"""XGBoost and LightGBM on a cluster: ``python -m examples.ecosystem.boosting``.

Both start a process group of their own on the workers, told by dask where their parts of the data are. Nothing in the
program but its first two lines knows dagrpc.
"""

import dagrpc

dagrpc.install_as_distributed()

import dask.array as da  # noqa: E402
import numpy as np  # noqa: E402
from dask.distributed import Client  # noqa: E402
from lightgbm import DaskLGBMRegressor  # noqa: E402
from xgboost import dask as dxgb  # noqa: E402


def boost_with_xgboost(client: Client, features: da.Array, target: da.Array) -> float:
    """Train with XGBoost, and return the mean error."""
    data = dxgb.DaskDMatrix(client, features, target)
    trained = dxgb.train(client, {"tree_method": "hist", "verbosity": 0}, data, num_boost_round=20)
    return float(abs(dxgb.predict(client, trained, features) - target).mean())


def boost_with_lightgbm(client: Client, features: da.Array, target: da.Array) -> float:
    """Train with LightGBM, and return the mean error."""
    model = DaskLGBMRegressor(n_estimators=20, client=client, verbosity=-1)
    model.fit(features, target)
    return float(abs(model.predict(features) - target).mean())


def main() -> dict[str, float]:
    """Learn ``3 a + b`` twice, and return the mean errors."""
    random = np.random.default_rng(0)
    values = random.random((8_000, 6))
    features = da.from_array(values, chunks=(1_000, 6))
    target = da.from_array(3 * values[:, 0] + values[:, 1], chunks=1_000)
    with Client(n_workers=2, threads_per_worker=1) as client:
        errors = {
            "XGBoost": boost_with_xgboost(client, features, target),
            "LightGBM": boost_with_lightgbm(client, features, target),
        }
    for name, error in errors.items():
        print(f"{name}: values from 0 to 4, {error:.3f} off")
    print("learnt by", ", ".join(name for name, error in errors.items() if error < 0.2))
    return errors


if __name__ == "__main__":
    main()
