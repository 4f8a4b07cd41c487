"""The same answers from plain pandas and NumPy, in one process and with code of their own."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from examples.flights import data, models, pairwise
from examples.flights.frames import BAND_WIDTH, LATE_MINUTES, ROUTE_MIN_FLIGHTS, WORST_ROUTES

# The cluster adds floats in another order, and their sum depends on the order.
RELATIVE_TOLERANCE = 1e-8
# The models solve normal equations, whose condition number is the square of the data's condition number.
MODEL_TOLERANCE = 1e-5


@dataclass
class Checks:
    """Counts the numbers that were compared, and names the answers that differ."""

    equal: int = 0
    differing: list[str] = field(default_factory=list)

    def same(self, what: str, ours: ArrayLike, theirs: ArrayLike, tolerance: float = RELATIVE_TOLERANCE) -> None:
        """Compare numbers."""
        left, right = np.asarray(ours, dtype="float64"), np.asarray(theirs, dtype="float64")
        if left.shape != right.shape:
            self.differing.append(f"{what}: shape {left.shape} instead of {right.shape}")
            return
        close = np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
        self.equal += int(close.sum())
        if not close.all():
            self.differing.append(f"{what}: {int((~close).sum())} of {close.size} numbers differ")

    def same_names(self, what: str, ours: list[object], theirs: list[object]) -> None:
        """Compare labels and their order."""
        if ours == theirs:
            self.equal += len(ours)
        else:
            self.differing.append(f"{what}: {ours} instead of {theirs}")


def read_everything(files: data.Files) -> pd.DataFrame:
    """Return all flights, joined with planes and weather."""
    flights = pd.read_csv(files.flights, usecols=list(data.FLIGHT_COLUMNS), dtype=data.FLIGHT_COLUMNS)
    built = data.read_planes(files).set_index("tailnum")["built"]
    wind = data.read_weather(files).set_index(["origin", "time_hour"])["wind_speed"]
    flights = flights.join(built, on="tailnum").join(wind, on=["origin", "time_hour"])
    flights["late"] = np.where(flights["arr_delay"].isna(), np.nan, flights["arr_delay"] > LATE_MINUTES)
    flights["wind_band"] = np.floor(flights["wind_speed"] / BAND_WIDTH) * BAND_WIDTH
    flights["age_band"] = np.floor((2013 - flights["built"]) / BAND_WIDTH) * BAND_WIDTH
    return flights


def expected_delays(flights: pd.DataFrame, keys: str | list[str]) -> pd.DataFrame:
    """Return the delays of each group, computed column by column."""
    groups = flights.groupby(keys)
    return pd.DataFrame(
        {
            "flights": groups.size(),
            "dep_delay": groups["dep_delay"].mean(),
            "arr_delay": groups["arr_delay"].mean(),
            "arrived": groups["arr_delay"].count(),
            "late": groups["late"].mean(),
        }
    ).sort_index()


def check_delays(checks: Checks, flights: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    """Check the tables of delays; `tables` has them by the column, or comma-separated columns, of their groups."""
    for keys, table in tables.items():
        columns = keys.split(",")
        expected = expected_delays(flights, columns[0] if len(columns) == 1 else columns)
        checks.same_names(f"groups by {keys}", list(table.index), list(expected.index))
        checks.same(f"delays by {keys}", table.to_numpy("float64"), expected.to_numpy("float64"))


def check_worst_routes(checks: Checks, flights: pd.DataFrame, routes: pd.DataFrame) -> None:
    """Check the ten worst routes and their order."""
    means = flights.dropna(subset=["arr_delay"]).groupby(["origin", "dest"])["arr_delay"].agg(["mean", "size"])
    expected = means[means["size"] >= ROUTE_MIN_FLIGHTS].sort_values("mean", ascending=False)[:WORST_ROUTES]
    checks.same_names("worst routes", list(routes.index), list(expected.index))
    checks.same("their delays", routes["arr_delay"], expected["mean"])


def check_models(checks: Checks, flights: pd.DataFrame, fitted: dict[str, models.Model]) -> None:
    """Check the models against least squares on all the rows at once."""
    complete = flights.dropna(subset=[*models.FEATURES, models.TARGET])
    for carrier, (coefficients, count, _, _) in fitted.items():
        rows = complete if carrier == "all" else complete[complete["carrier"] == carrier]
        features = np.ones((len(rows), 1 + len(models.FEATURES)))
        for column, (name, unit) in enumerate(models.FEATURES.items(), start=1):
            features[:, column] = rows[name] / unit
        expected = np.linalg.lstsq(features, rows[models.TARGET].to_numpy("float64"), rcond=models.NO_DATA)[0]
        checks.same(f"flights in the model of {carrier}", count, len(rows))
        checks.same(f"model of {carrier}", coefficients, expected, MODEL_TOLERANCE)


def check_correlations(checks: Checks, flights: pd.DataFrame, matrix: pd.DataFrame) -> None:
    """Check the correlations against those of pandas."""
    daily = flights.pivot_table(index=["month", "day"], columns="dest", values="arr_delay", aggfunc="mean")
    expected = daily.loc[:, daily.notna().sum() >= pairwise.MIN_DAYS].corr(min_periods=pairwise.MIN_DAYS)
    checks.same_names("destinations", list(matrix.index), list(expected.index))
    checks.same("correlations", matrix.to_numpy(), expected.to_numpy())
