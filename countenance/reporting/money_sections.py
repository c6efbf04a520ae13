"""What a threshold costs: the cost curve, the cheapest threshold under the cap, and the thresholds of each FAR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes

from countenance.reporting.plots import Series, drawing, finished, legend_below, panels
from countenance.reporting.wording import NOT_MEASURABLE, Shown, heading, measurement, percent, rate

Names = Mapping[str, str]
_SHOWN: Final = 4.0


def money_section(evaluation: Mapping[str, Any], names: Names) -> dict[str, Any] | None:
    """The cheapest thresholds and those of each FAR, model by model; None without an evaluation that priced them."""
    models = _priced(evaluation)
    shown = {names[model]: models[model] for model in names if model in models}
    if not shown:
        return None
    first = next(iter(shown.values()))
    return {
        "prices": _prices(first["money"]["prices"]),
        "cheapest": [_cheapest(name, assessment, names) for name, assessment in shown.items()],
        "fars": [f"{entry['far']:g}" for entry in first["calibrated"]],
        "calibrated": [
            (name, [_calibrated(entry) for entry in assessment["calibrated"]]) for name, assessment in shown.items()
        ],
    }


def cost_plot(evaluation: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """Expected cost over the threshold, a line a model, with the cheapest one marked; None where nothing was priced.

    Shown up to some times the least cost: beyond are thresholds at which nobody would decide. A model that took its
    thresholds over from another one has no line of its own.
    """
    models = {model: found for model, found in _priced(evaluation).items() if found["calibrated_by"] == model}
    shown = {model: look for model, look in series.items() if model in models}
    if not shown:
        return None
    prices = [models[model]["money"] for model in shown]
    highest = max(money["optimum"]["cost"] for money in prices) * _SHOWN or max(prices[0]["curve"]["costs"])
    with drawing():
        figure, (axis,) = panels(8.6, 3.9)
        for model, look in shown.items():
            _cost_line(axis, models[model], look)
        axis.set(xlabel="threshold (cosine)", ylabel=prices[0]["optimum"]["unit"])
        axis.set(xlim=(min(_first_below(money, highest) for money in prices), None), ylim=(0, highest))
        legend_below(figure, axis)
        alt = (
            "Expected cost by threshold, a line a model, the cheapest threshold marked; numbers are in the table below."
        )
        return finished(figure, name="cost", alt=alt)


def _first_below(money: Mapping[str, Any], cost: float) -> float:
    curve = money["curve"]
    return float(next(at for at, paid in zip(curve["thresholds"], curve["costs"], strict=True) if paid <= cost))


def _cost_line(axis: Axes, assessment: Mapping[str, Any], look: Series) -> None:
    money = assessment["money"]
    curve, optimum, lowest = money["curve"], money["optimum"], money["lowest_allowed"]
    points = list(zip(curve["thresholds"], curve["costs"], strict=True))
    allowed = [point for point in points if lowest is None or point[0] >= lowest]
    forbidden = [point for point in points if lowest is not None and point[0] <= lowest]
    width = 2.6 if look.champion else 1.5
    for part, thickness, alpha in ((allowed, width, 1.0), (forbidden, 0.9, 0.5)):
        if part:
            at, paid = zip(*part, strict=True)
            # A threshold holds until the next one: the curve is made of steps.
            axis.step(at, paid, where="post", color=look.colour, linestyle=look.dash, linewidth=thickness, alpha=alpha)
    axis.plot(optimum["threshold"], optimum["cost"], look.marker, color=look.colour, markersize=9)
    axis.plot(assessment["operating"]["threshold"], optimum["cost"], "|", color=look.colour, markersize=22)
    axis.plot([], [], color=look.colour, linestyle=look.dash, linewidth=width, marker=look.marker, label=look.label)


def _priced(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The models of a report that holds prices; one that is older than they are doesn't."""
    return {model: found for model, found in evaluation.get("models", {}).items() if "money" in found}


def _prices(prices: Mapping[str, Any]) -> str:
    currency, cap = prices["currency"], prices["maximum_fmr"]
    return (
        f"A stranger who is let in costs {currency} {prices['cost_false_match']:,.2f}, a person turned away "
        f"{currency} {prices['cost_false_non_match']:,.2f}, and {percent(prices['mated_prior'])} of the transactions "
        "are by the person they claim to be. "
        + (
            "There is no cap on false matches."
            if cap is None
            else f"At most {percent(cap, 2)} of strangers may be let in."
        )
    )


def _cheapest(name: str, assessment: Mapping[str, Any], names: Names) -> dict[str, Any]:
    money, model = assessment["money"], assessment["calibrated_by"]
    optimum = money["optimum"]
    notes = ["kept up by the cap"] if optimum["capped"] else []
    notes += [f"that of {heading(names, model)}"] if model != assessment["model"] else []
    return {
        "model": name,
        "threshold": Shown(f"{optimum['threshold']:.4f}", note="; ".join(notes)),
        "chosen": Shown(
            f"{optimum['cost']:,.2f}", note=f"FMR {percent(optimum['fmr'], 2)}, FNMR {percent(optimum['fnmr'], 2)}"
        ),
        "fmr": rate(money["fmr"]),
        "fnmr": rate(money["fnmr"]),
        "cost": measurement(money["cost"]),
    }


def _calibrated(entry: Mapping[str, Any]) -> Shown:
    made = f"{entry['non_mated']:,} non-mated comparisons"
    if entry["threshold"] is None:
        return Shown(NOT_MEASURABLE, note=f"below 1 in {made}")
    return Shown(f"{entry['threshold']:.4f}", note=f"{entry['false_accepts']:,} of {made}")
