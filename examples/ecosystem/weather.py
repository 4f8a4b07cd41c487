"""xarray on a cluster: ``python -m examples.ecosystem.weather``.

Makes a year of temperatures, writes it as a zarr store, opens it in chunks, and compares months with the year's mean.
"""

import tempfile
from pathlib import Path

import dagrpc

dagrpc.install_as_distributed()

import numpy as np  # noqa: E402
import xarray as xr  # noqa: E402
from dask.distributed import Client  # noqa: E402


def year_of_temperatures() -> xr.Dataset:
    """Return temperatures by day, latitude and longitude."""
    days = np.arange("2013-01-01", "2014-01-01", dtype="M8[D]").astype("M8[ns]")
    latitude, longitude = np.linspace(-60, 60, 25), np.linspace(0, 345, 24)
    season = -np.cos(2 * np.pi * np.arange(len(days)) / 365)
    values = 15 + 10 * season[:, None, None] * np.sign(latitude)[None, :, None] - np.abs(latitude)[None, :, None] / 4
    noise = np.random.default_rng(0).normal(size=(len(days), 25, 24))
    return xr.Dataset(
        {"temperature": (("time", "latitude", "longitude"), values + noise)},
        coords={"time": days, "latitude": latitude, "longitude": longitude},
    )


def main() -> xr.DataArray:
    """Return the difference between each month's mean temperature in the north and the mean of the year."""
    with tempfile.TemporaryDirectory() as directory, Client(n_workers=2, threads_per_worker=1):
        store = str(Path(directory) / "weather.zarr")
        year_of_temperatures().chunk({"time": 60}).to_zarr(store)
        weather = xr.open_zarr(store, chunks={"time": 60})
        north = weather.temperature.sel(latitude=slice(0, 60))
        monthly = north.groupby("time.month").mean()
        difference = (monthly - north.mean("time")).mean(("latitude", "longitude")).compute()
        # The workers write the monthly means to another store.
        monthly.to_dataset(name="temperature").to_zarr(str(Path(directory) / "monthly.zarr"))
        again = xr.open_zarr(str(Path(directory) / "monthly.zarr")).temperature
        assert bool(np.allclose(again, monthly))
    for month, degrees in zip(difference.month.values, difference.values, strict=True):
        print(f"{month:2d} {degrees:+6.2f} °C")
    return difference


if __name__ == "__main__":
    main()
