"""`check`: files of one kind are one era, and the odd ones are told by what is odd."""

from __future__ import annotations

from pathlib import Path

import virtualizarr
from netcdf_archive import month, write_netcdf4


def test_eras(tmp_path: Path) -> None:
    alike = [write_netcdf4(month(number), tmp_path / f"{number}.nc") for number in range(3)]
    assert [len(era.urls) for era in virtualizarr.check(alike)] == [3]

    packed = month(3)
    packed["t"].encoding["scale_factor"] = packed["t"].encoding["scale_factor"] * 10
    other = write_netcdf4(packed, tmp_path / "3.nc")
    less = write_netcdf4(month(4).drop_vars("lat"), tmp_path / "4.nc")
    broken = tmp_path / "5.nc"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n")
    told: list[tuple[int, int]] = []
    eras = virtualizarr.check(
        [alike[0], other, *alike[1:], less, broken], progress=lambda *done: told.append(done)
    )
    assert [len(era.urls) for era in eras] == [3, 1, 1, 1]
    assert eras[0].urls[0] == alike[0].as_uri()
    assert eras[0].differences == ()
    assert [text.split(" 0")[0] for text in eras[1].differences] == ["t: attribute scale_factor"]
    assert eras[2].differences == ("lat is missing",)
    assert eras[3].is_broken
    assert eras[3].urls == (broken.as_uri(),)
    assert told[-1] == (6, 6)


def test_lengths_of_the_axis_that_grows_do_not_matter(tmp_path: Path) -> None:
    files = []
    for number, steps in enumerate((2, 4, 3)):
        dataset = month(number).isel(time=slice(0, steps))
        files.append(write_netcdf4(dataset, tmp_path / f"{number}.nc"))
    assert len(virtualizarr.check(files)) == 1
