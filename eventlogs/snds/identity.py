"""A person is not a pseudonym: the rows of IR_BEN_R and its archive, gathered into persons.

BEN_NIR_PSA is built from the policy-holder: it changes at a divorce, a first job, a change of scheme. Taken for
a person, each change would look like a care breakdown. Persons are gathered before any case is built
(Santé publique France, SNDS guide of 2020; Documentation SNDS, fiche bénéficiaire).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eventlogs.snds.chaining import FICTITIOUS
from eventlogs.snds.extract import Extract

PAIR = ["BEN_NIR_PSA", "BEN_RNG_GEM"]

SEX = {1: "M", 2: "F"}
"""IR_SEX_V."""


def registry(extract: Extract) -> pl.DataFrame:
    """Return every (pseudonym, birth rank) of IR_BEN_R and IR_BEN_R_ARC with its person.

    Rows that share a pair, a BEN_IDT_ANO or a BEN_NIR_ANO are of one person (numbers that stand for nobody aside).
    The person is named by its BEN_IDT_ANO (that of the current referential first), else by BEN_NIR_ANO, else by the
    pair itself.

    Returns
    -------
    polars.DataFrame
        Columns of IR_BEN_R, ``archived`` and ``patient_id``, one row a row of either table.
    """
    rows = pl.concat(
        extract.scan(name).with_columns(archived=pl.lit(name.endswith("ARC")))
        for name in ("IR_BEN_R", "IR_BEN_R_ARC")
    ).collect()
    nobody = pl.col("BEN_NIR_ANO").is_in(FICTITIOUS)
    known = rows.filter(pl.col("BEN_NIR_PSA").is_not_null()).with_columns(
        pl.when(~nobody).then("BEN_NIR_ANO").alias("BEN_NIR_ANO"),
        pair=pl.concat_str("BEN_NIR_PSA", pl.col("BEN_RNG_GEM").cast(pl.String), separator="-"),
    )
    joined = known.with_columns(component=_components(known, ("pair", "BEN_IDT_ANO", "BEN_NIR_ANO")))
    first = [pl.col(name).drop_nulls().first() for name in ("BEN_IDT_ANO", "BEN_NIR_ANO", "pair")]
    names = (
        joined.sort("archived", "BEN_IDT_ANO", "BEN_NIR_ANO", "pair", nulls_last=True)
        .group_by("component", maintain_order=True)
        .agg(patient_id=pl.coalesce(first))
    )
    return joined.join(names, on="component").drop("component", "pair")


def _components(rows: pl.DataFrame, shared: tuple[str, ...]) -> pl.Series:
    """Return a number that is the same for rows connected by a common value in one of the columns."""
    keys = [rows[name].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() for name in shared]
    sizes = [int(key.max(initial=0)) for key in keys]
    starts = np.cumsum([rows.height, *sizes])
    links = [
        (np.flatnonzero(key), start + key[key > 0] - 1) for key, start in zip(keys, starts[:-1], strict=True)
    ]
    row, value = (np.concatenate(side) for side in zip(*links, strict=True))
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, value)), shape=(starts[-1], starts[-1]))
    _, component = connected_components(graph, directed=False)
    return pl.Series(component[: rows.height])


def persons(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return one row a person, in the order of ``patient_id``.

    Attributes come from the current referential before the archive, the row last treated first.

    Parameters
    ----------
    pairs : polars.DataFrame
        Result of `registry`.

    Returns
    -------
    polars.DataFrame
        ``person`` (dense number), ``patient_id``, ``sex``, ``birth_year``, ``commune`` (INSEE), ``territory``
        (INSEE département), ``death_date``, ``n_pseudonyms``.
    """
    first = [pl.col(name).drop_nulls().first() for name in ("BEN_SEX_COD", "BEN_NAI_ANN")]
    home = pl.col("BEN_RES_DPT", "BEN_RES_COM").first()
    order = ["patient_id", "archived", "MAX_TRT_DTD", "BEN_NIR_PSA"]
    return (
        pairs.sort(order, descending=[False, False, True, False], nulls_last=True)
        .group_by("patient_id", maintain_order=True)
        .agg(*first, home, pl.col("BEN_DCD_DTE").min(), n_pseudonyms=pl.col("BEN_NIR_PSA").n_unique())
        .with_row_index("person")
        .select(
            pl.col("person").cast(pl.Int64),
            "patient_id",
            pl.col("BEN_SEX_COD").replace_strict(SEX, default=None, return_dtype=pl.String).alias("sex"),
            pl.col("BEN_NAI_ANN").cast(pl.Int32).alias("birth_year"),
            commune().alias("commune"),
            departement().alias("territory"),
            pl.col("BEN_DCD_DTE").alias("death_date"),
            "n_pseudonyms",
        )
    )


def pair_to_person(pairs: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Return ``BEN_NIR_PSA``, ``BEN_RNG_GEM``, ``person``: the link of DCIR lines and ALD."""
    return pairs.join(people, on="patient_id").select(*PAIR, "person").unique().sort(PAIR)


def pseudonym_to_person(links: pl.DataFrame) -> pl.DataFrame:
    """Return ``NIR_ANO_17``, ``person``: the link of stays, which carry no birth rank.

    A pseudonym shared by several persons (twins of one sex) can't be attributed: it is left out.
    """
    alone = links.group_by("BEN_NIR_PSA").agg(pl.col("person").min(), n=pl.col("person").n_unique())
    return alone.filter(pl.col("n") == 1).select(pl.col("BEN_NIR_PSA").alias("NIR_ANO_17"), "person")


def departement() -> pl.Expr:
    """Return the INSEE département of BEN_RES_DPT (3) and BEN_RES_COM (3).

    ``001`` → ``01``; Corsica ``02A``, ``02B`` → ``2A``, ``2B``; overseas ``097`` → ``97`` and the first digit of the
    commune; 000, 099, 999 and Corsica before 1976 (``209``) → null.
    """
    code, town = (pl.col(name).str.zfill(3) for name in ("BEN_RES_DPT", "BEN_RES_COM"))
    metropolitan = code.str.contains(r"^0(0[1-9]|[1-8]\d|9[0-5]|2[AB])$")
    overseas = code.str.contains(r"^097$") & town.str.contains(r"^[1-6]")
    return (
        pl.when(metropolitan)
        .then(code.str.tail(2))
        .when(overseas)
        .then(pl.concat_str(pl.lit("97"), town.str.head(1)))
    )


def commune() -> pl.Expr:
    """Return the INSEE commune: last two characters of the département, three of the commune."""
    full = pl.concat_str(pl.col("BEN_RES_DPT").str.zfill(3).str.tail(2), pl.col("BEN_RES_COM").str.zfill(3))
    return pl.when(departement().is_not_null() & (full.str.len_chars() == 5)).then(full)
