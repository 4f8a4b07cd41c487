"""The dataframe part: joins all flights with their planes and the weather, and groups the delays."""

from dataclasses import dataclass
from typing import Any

import dask.dataframe
import pandas as pd

from examples.flights import data

frames: Any = dask.dataframe

BLOCK_BYTES = 2_000_000
WEATHER_PARTS = 4
LATE_MINUTES = 30
BAND_WIDTH = 5
WORST_ROUTES = 10
# Routes with few flights are left out, since one bad day would dominate their averages.
ROUTE_MIN_FLIGHTS = 100


@dataclass(frozen=True)
class Answers:
    """The answers of the dataframe part: dask collections before the computation, pandas objects after it."""

    by_carrier: Any
    by_hour: Any
    by_wind: Any
    by_age: Any
    by_route: Any
    daily: Any


def join(files: data.Files) -> Any:
    """Return every flight with the year its plane was built and the wind at its scheduled departure."""
    flights = frames.read_csv(
        str(files.flights),
        blocksize=BLOCK_BYTES,
        usecols=list(data.FLIGHT_COLUMNS),
        dtype=data.FLIGHT_COLUMNS,
    )
    planes = frames.from_pandas(data.read_planes(files), npartitions=1)
    weather = frames.from_pandas(data.read_weather(files), npartitions=WEATHER_PARTS)
    with_planes = flights.merge(planes, on="tailnum", how="left")
    # The workers partition both sides by the hash of the keys and exchange the parts.
    joined = with_planes.merge(weather, on=["origin", "time_hour"], how="left", broadcast=False)
    return joined.assign(
        late=(joined["arr_delay"] > LATE_MINUTES).astype("float64").where(joined["arr_delay"].notnull()),
        wind_band=joined["wind_speed"] // BAND_WIDTH * BAND_WIDTH,
        age_band=(2013 - joined["built"]) // BAND_WIDTH * BAND_WIDTH,
    )


def ask(flights: Any) -> Answers:
    """Return the questions about the joined flights; nothing is computed yet."""

    def delays_by(keys: str | list[str]) -> Any:
        return flights.groupby(keys).agg(
            {"hour": "count", "dep_delay": "mean", "arr_delay": ["mean", "count"], "late": "mean"}
        )

    return Answers(
        by_carrier=delays_by("carrier"),
        by_hour=delays_by("hour"),
        by_wind=delays_by("wind_band"),
        by_age=delays_by("age_band"),
        by_route=delays_by(["origin", "dest"]),
        daily=flights.groupby(["month", "day", "dest"])["arr_delay"].mean(),
    )


def tidy(delays: pd.DataFrame) -> pd.DataFrame:
    """Return a table of delays with plain column names, in the order of its groups."""
    named = delays.set_axis(["flights", "dep_delay", "arr_delay", "arrived", "late"], axis="columns")
    return named.sort_index()


def worst_routes(by_route: pd.DataFrame) -> pd.DataFrame:
    """Return the routes whose flights arrive latest on average."""
    return by_route[by_route["arrived"] >= ROUTE_MIN_FLIGHTS].nlargest(WORST_ROUTES, "arr_delay")
