"""What is made of members, distributions, areas, wavelengths and instruments, in words."""

from __future__ import annotations

from virtualizarr.parsers.grib.concepts import Lookup
from virtualizarr.parsers.grib.layout import MISSING_BYTE

INSTANT = "instant"
STATISTICS = {
    0: "avg",
    1: "accum",
    2: "max",
    3: "min",
    4: "diff",
    5: "rms",
    6: "sd",
    7: "cov",
    8: "sdiff",
    9: "ratio",
    10: "stdanom",
    11: "sum",
    100: "severity",
    101: "mode",
    102: "index",
    255: INSTANT,
}
"""Code table 4.10, as ecCodes names the kinds of steps."""

DERIVED = {
    0: "mean",
    1: "weighted_mean",
    2: "std",
    3: "normalized_std",
    4: "spread",
    5: "large_anomaly_index",
    6: "cluster_mean",
    7: "interquartile_range",
    8: "min",
    9: "max",
}
"""Code table 4.7."""

PROBABILITY = {
    0: "below_{0}",
    1: "above_{1}",
    2: "between_{0}_{1}",
    3: "above_{0}",
    4: "below_{1}",
    5: "equal_{0}",
    6: "above_normal",
    7: "near_normal",
    8: "below_normal",
}
"""Code table 4.9; {0} is the lower limit, {1} the upper one."""

BANDS = (
    *(("constituent", "constituentType"), ("aerosol", "aerosolType"), ("mode", "modeNumber")),
    *(("direction", "waveDirectionNumber"), ("frequency", "waveFrequencyNumber")),
    *(("field", "randomFieldNumber"), ("tile", "tileIndex"), ("partition", "partitionNumber")),
)


def scaled(value: Lookup, which: str) -> float:
    """Return a value that two keys tell, such as `scaledValueOfFirstFixedSurface`."""
    number, factor = value(f"scaledValueOf{which}"), value(f"scaleFactorOf{which}")
    if number is None:
        return 0.0
    return number / 10**factor if factor else float(number)


def kind_of(value: Lookup) -> str:
    """Return what a field tells of an ensemble, a distribution or an area, "" for a plain one."""
    derived, probability = value("derivedForecast"), value("probabilityType")
    if derived is not None:
        return DERIVED.get(derived, f"derived_{derived}")
    if probability is not None:
        limits = [f"{scaled(value, f'{which}Limit'):g}" for which in ("Lower", "Upper")]
        return "prob_" + PROBABILITY.get(probability, f"{probability}_{{0}}_{{1}}").format(*limits)
    percentile = value("percentileValue")
    if percentile is not None:
        return f"p{percentile}"
    quantile = value("quantileValue")
    if quantile is not None:
        return f"q{quantile}of{value('totalNumberOfQuantiles')}"
    over_area = value("statisticalProcess")
    if over_area is None or over_area == MISSING_BYTE:
        return ""
    return f"area_{STATISTICS.get(over_area, over_area)}"


def band_of(value: Lookup) -> str:
    """Return what tells wavelengths, sizes, instruments and wave partitions apart."""
    parts: list[str] = []
    for word, key in (("wavelength", "FirstWavelength"), ("size", "FirstSize")):
        if value(f"scaledValueOf{key}") is not None:
            parts.append(f"{word}_{scaled(value, key):g}")
    if value("instrumentType") is not None:
        platform = [value(key) for key in ("satelliteSeries", "satelliteNumber", "instrumentType")]
        wave = f"{scaled(value, 'CentralWaveNumber'):g}"
        parts.append(f"instrument_{'_'.join(map(str, platform))}_{wave}")
    for word, key in BANDS:
        if value(key) is not None:
            parts.append(f"{word}_{value(key)}")
    return "_".join(parts)
