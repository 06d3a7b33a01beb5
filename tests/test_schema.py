from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, MinLen

from mien.errors import DataError, UnknownName
from mien.schema import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    inches: Annotated[int, Ge(1)]
    tyre: Literal["slick", "winter"] = "slick"

    def __post_init__(self) -> None:
        if self.inches == 13:
            raise ValueError("nobody makes 13 inches")


@dataclass(frozen=True, kw_only=True)
class Car:
    name: Annotated[str, MinLen(1)]
    weight: Annotated[float, Le(3)] = 1.0
    loud: bool = False
    size: tuple[int, int] = (2, 4)
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    spares: Mapping[str, Wheel] = field(default_factory=dict)


def read(**data: Any) -> Car:
    return checked(Car, {"name": "ant"} | data, whole="car", wrong=DataError, noun="part")


def test_what_fits_is_taken() -> None:
    car = read(weight=2, size=[1, 2], wheels=[{"inches": 15}, {"inches": 16, "tyre": "winter"}], owners={"a": "b"})
    assert car == Car(
        name="ant",
        weight=2.0,
        size=(1, 2),
        wheels=(Wheel(inches=15), Wheel(inches=16, tyre="winter")),
        owners={"a": "b"},
    )
    assert isinstance(car.weight, float)
    assert read(spare={"inches": 15}).spare == Wheel(inches=15)
    assert read(spare=None) == Car(name="ant")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": 3}, "name must be a string, got 3"),
        ({"name": ""}, "name must be a non-empty string, got ''"),
        ({"name": datetime.date(2026, 1, 2)}, "name must be a string, got {'date': '2026-01-02'}"),
        ({"weight": "1"}, "weight must be a number, got '1'"),
        ({"weight": True}, "weight must be a number, got True"),
        ({"weight": float("nan")}, "weight must be a finite number, got nan"),
        ({"weight": 3.5}, "weight must be at most 3, got 3.5"),
        ({"loud": 1}, "loud must be true or false, got 1"),
        ({"size": [1]}, "size[1] is missing in [1]"),
        ({"size": [1, 2, 3]}, "size must be a list of at most 2, got [1, 2, 3]"),
        ({"size": [1, 1.5]}, "size[1] must be a whole number, got 1.5"),
        ({"size": "1x2"}, "size must be a list, got '1x2'"),
        ({"wheels": [3]}, "wheels[0] must be a table of settings, got 3"),
        ({"wheels": [{}]}, "wheels[0].inches is missing"),
        ({"wheels": [{"inches": 0}]}, "wheels[0].inches must be at least 1, got 0"),
        ({"wheels": [{"inches": 13}]}, "wheels[0]: nobody makes 13 inches"),
        ({"spare": {"inches": 1, "tyre": 3}}, "spare.tyre must be one of slick, winter, got 3"),
        ({"owners": {"a": 1}}, "owners.a must be a string, got 1"),
        ({"owners": []}, "owners must be a table of names and values, got []"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        read(**data)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"nam": "x", "name": 3}, "There is no part in car 'nam'; available: name, weight"),
        ({"wheels": [{"inch": 3}]}, "There is no part in car.wheels[0] 'inch'; available: inches, tyre. Did you mean"),
        ({"spare": {"inch": 3}}, "There is no part in car.spare 'inch'; available: inches, tyre."),
        ({"spares": {"a": {"inch": 3}}}, "There is no part in car.spares.a 'inch'; available: inches, tyre."),
        (
            {"spare": {"inches": 3, "tyre": "winte"}},
            "no car.spare.tyre 'winte'; available: slick, winter. Did you mean",
        ),
    ],
    ids=str,
)
def test_unknown_names_are_told_with_the_nearest_before_anything_else(data: dict[str, Any], words: str) -> None:
    with pytest.raises(UnknownName) as caught:
        read(**data)
    assert words in str(caught.value)


def test_long_values_are_cut_and_no_object_is_refused() -> None:
    with pytest.raises(DataError, match=r"…$") as caught:
        read(weight="x" * 1000)
    assert len(str(caught.value)) < 250
    with pytest.raises(DataError, match=r"^car must be a table of settings, got \[\]$"):
        checked(Car, [], whole="car", wrong=DataError)


def test_importing_mien_and_its_recipes_goes_without_pydantic() -> None:
    rooms = "mien, mien.recipes.recipe, mien.models.artifact, mien.voice.responses"
    code = f"import sys, {rooms}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
