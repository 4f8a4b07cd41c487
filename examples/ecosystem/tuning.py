"""Optuna on a cluster: ``python -m examples.ecosystem.tuning``.

The trials run as tasks; what they tell each other lives on the scheduler, in handlers that Optuna puts there. Nothing
in the program but its first two lines knows dagrpc.
"""

import dagrpc

dagrpc.install_as_distributed()

import optuna  # noqa: E402
from dask.distributed import Client, wait  # noqa: E402
from optuna_integration import DaskStorage  # noqa: E402


def cost(trial: optuna.Trial) -> float:
    """Return the distance of a guess from the optimum."""
    return (trial.suggest_float("x", -10, 10) - 2) ** 2


def main() -> int:
    """Minimize the cost with four concurrent tasks, and return the number of trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with Client(n_workers=2, threads_per_worker=2) as client:
        study = optuna.create_study(storage=DaskStorage(client=client))
        searches = [client.submit(study.optimize, cost, n_trials=5, pure=False) for _ in range(4)]
        wait(searches)
        client.gather(searches)
        trials = len(study.trials)
        print(f"{trials} trials, the best of them {study.best_params}")
    return trials


if __name__ == "__main__":
    main()
