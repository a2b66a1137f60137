"""A person is not a pseudonym: the rows of IR_BEN_R, its archive and IR_IBA_R, gathered into persons.

BEN_NIR_PSA is built from the policy-holder: it changes at a divorce, a first job, a change of scheme. Taken for
a person, each change would look like a care breakdown. Persons are gathered before any case is built
(Santé publique France, SNDS guide of 2020; Documentation SNDS, fiche bénéficiaire).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eventlogs.practice import Practice
from eventlogs.snds.chaining import FICTITIOUS
from eventlogs.snds.extract import Extract
from eventlogs.snds.geography import commune, is_unusual, of_local_section, territory
from eventlogs.snds.schema import NULL_YEAR

PAIR = ["BEN_NIR_PSA", "BEN_RNG_GEM"]

HOME = ["BEN_RES_DPT", "BEN_RES_COM", "ORG_AFF_BEN"]

SEX = {1: "M", 2: "F"}
"""IR_SEX_V."""

REAL_NUMBERS = ("00", "03", "04")
"""BEN_CDI_NIR of numbers that stand for a person; the others are fictitious or provisional (Santé publique France)."""

FIRST_BIRTH_YEAR = 1880
"""An earlier year of birth (0, 1600) stands for none."""

OLDEST_YEARS = 130
"""An age above this is none."""

NAME_CHARACTERS = 16
"""Of the fingerprint that names a person without a national number: 64 bits."""


def registry(extract: Extract, practice: Practice) -> pl.DataFrame:
    """Return every row of IR_BEN_R, IR_BEN_R_ARC and IR_IBA_R with its person.

    Rows that share a pair (BEN_NIR_PSA, BEN_RNG_GEM), a BEN_IDT_ANO or a BEN_NIR_ANO are of one person (numbers that
    stand for nobody aside). The person is named by its BEN_IDT_ANO (that of the current referential first), else by
    BEN_NIR_ANO, else by `temporary_name`, so that no BEN_NIR_PSA leaves the build.

    Parameters
    ----------
    extract : Extract
        Where the tables are.
    practice : Practice
        ``archived_persons``: whether the archive is gathered.

    Returns
    -------
    polars.DataFrame
        Columns of IR_BEN_R, ``place`` (0 current, 1 IR_IBA_R, 2 archived) and ``patient_id``, one row a row of a table.
    """
    archive = ["IR_BEN_R_ARC"] if practice.archived_persons == "gathered" else []
    rows = pl.concat(
        [
            extract.scan(name).with_columns(place=pl.lit(2 if name == "IR_BEN_R_ARC" else place))
            for place, name in enumerate(["IR_BEN_R", "IR_IBA_R", *archive])
        ],
        how="diagonal",
    ).collect()
    nobody = pl.col("BEN_NIR_ANO").is_in(FICTITIOUS)
    known = rows.filter(pl.any_horizontal(pl.col("BEN_NIR_PSA", "BEN_IDT_ANO").is_not_null())).with_columns(
        pl.when(~nobody).then("BEN_NIR_ANO").alias("BEN_NIR_ANO"),
        pair=pl.concat_str("BEN_NIR_PSA", pl.col("BEN_RNG_GEM").cast(pl.String), separator="-"),
    )
    joined = known.with_columns(component=_components(known, ("pair", "BEN_IDT_ANO", "BEN_NIR_ANO")))
    return joined.join(_names(joined, extract), on="component").drop("component", "pair")


def _names(joined: pl.DataFrame, extract: Extract) -> pl.DataFrame:
    """Return ``component``, ``patient_id``."""
    first = [pl.col(name).drop_nulls().first() for name in ("BEN_IDT_ANO", "BEN_NIR_ANO")]
    found = (
        joined.sort("place", "BEN_IDT_ANO", "BEN_NIR_ANO", nulls_last=True)
        .group_by("component", maintain_order=True)
        .agg(number=pl.coalesce(first), pair=pl.col("pair").min())
    )
    numbered, unnumbered = (
        found.filter(pl.col("number").is_not_null()),
        found.filter(pl.col("number").is_null()),
    )
    extraction = extraction_name(extract, joined["pair"])
    temporary = [temporary_name(extraction, pair) for pair in unnumbered["pair"].to_list()]
    named = unnumbered.with_columns(number=pl.Series(temporary, dtype=pl.String))
    return pl.concat([numbered, named]).select("component", patient_id="number")


def extraction_name(extract: Extract, pairs: pl.Series) -> str:
    """Return what names this extraction: ``extraction`` of extract.toml, else a fingerprint of its set of pairs."""
    stated = extract.settings.get("extraction")
    if stated is not None:
        return str(stated)
    return sha256("\n".join(pairs.drop_nulls().unique().sort().to_list()).encode()).hexdigest()


def temporary_name(extraction: str, pair: str) -> str:
    """Return a name that holds in this extraction only, for a person known by a pair alone.

    Pseudonyms are renewed about every two years and must not outlive an extraction (Santé publique France, SNDS guide
    of 2020), so none is shown. Only persons without a national number need one: 12 % of the pairs in 2011, 1.5 % in
    2018 (SNDS documentation).

    Parameters
    ----------
    extraction : str
        Of `extraction_name`.
    pair : str
        ``BEN_NIR_PSA-BEN_RNG_GEM``.
    """
    return "x" + sha256(f"{extraction}|{pair}".encode()).hexdigest()[:NAME_CHARACTERS]


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


def persons(pairs: pl.DataFrame, practice: Practice) -> pl.DataFrame:
    """Return one row a person, in the order of ``patient_id``.

    Attributes come from IR_BEN_R, then IR_IBA_R, then the archive, the row last treated first; the earliest date of
    death stands. A death that has a month only (BEN_DCD_AME) is dated to the month's last day, so that no care of that
    month comes after it.

    Parameters
    ----------
    pairs : polars.DataFrame
        Result of `registry`.
    practice : Practice
        ``fictitious_numbers``, ``shared_pseudonyms``: who is barred.

    Returns
    -------
    polars.DataFrame
        ``person`` (dense number), ``patient_id``, ``sex``, ``birth_year``, ``commune`` (INSEE), ``territory``
        (INSEE département), ``death_date``, ``n_pseudonyms``, ``vital_status_known``, ``excluded`` (the trap that bars
        the person, or null), and what `counts` needs: ``is_fictitious``, ``is_unnumbered``, ``shares_pseudonym``,
        ``unusual_residence``.
    """
    born = pl.col("BEN_NAI_ANN").filter(pl.col("BEN_NAI_ANN") >= FIRST_BIRTH_YEAR).first()
    home = pl.col("BEN_RES_DPT", "BEN_RES_COM").filter(pl.col("BEN_RES_DPT").is_not_null()).first()
    order = ["patient_id", "place", "MAX_TRT_DTD", "BEN_NIR_PSA", *HOME]
    gathered = (
        pairs.with_columns(death_date=_death())
        .sort(order, descending=[False, False, True, *[False] * 4], nulls_last=True)
        .group_by("patient_id", maintain_order=True)
        .agg(
            pl.col("BEN_SEX_COD").drop_nulls().first(),
            born,
            home,
            pl.col("ORG_AFF_BEN").drop_nulls().first(),
            pl.col("death_date").min(),
            n_pseudonyms=pl.col("BEN_NIR_PSA").drop_nulls().n_unique(),
            is_fictitious=(~_is_real()).all(),
            is_unnumbered=pl.all_horizontal(pl.col("BEN_IDT_ANO", "BEN_NIR_ANO").is_null()).all(),
        )
        .with_row_index("person")
    )
    marked = gathered.join(_sharing(pairs), on="patient_id", how="left", maintain_order="left")
    return _barred(marked, practice).select(
        pl.col("person").cast(pl.Int64),
        "patient_id",
        pl.col("BEN_SEX_COD").replace_strict(SEX, default=None, return_dtype=pl.String).alias("sex"),
        pl.col("BEN_NAI_ANN").cast(pl.Int32).alias("birth_year"),
        commune().alias("commune"),
        territory().alias("territory"),
        "death_date",
        "n_pseudonyms",
        vital_status_known().alias("vital_status_known"),
        "excluded",
        "is_fictitious",
        "is_unnumbered",
        "shares_pseudonym",
        is_unusual().alias("unusual_residence"),
    )


def _death() -> pl.Expr:
    month = pl.concat_str("BEN_DCD_AME", pl.lit("01")).str.to_date("%Y%m%d", strict=False)
    told = pl.when(month.dt.year() > NULL_YEAR).then(month.dt.month_end())
    return pl.coalesce("BEN_DCD_DTE", told)


def _is_real() -> pl.Expr:
    return pl.col("BEN_CDI_NIR").str.zfill(2).is_in(REAL_NUMBERS).fill_null(True)


def _sharing(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the persons one of whose pseudonyms stands for somebody else too: ``patient_id``, ``shares_pseudonym``."""
    bearers = pairs.select("BEN_NIR_PSA", "patient_id").drop_nulls().unique()
    shared = bearers.filter(pl.len().over("BEN_NIR_PSA") > 1)
    return shared.select("patient_id", shares_pseudonym=pl.lit(True)).unique()


def _barred(gathered: pl.DataFrame, practice: Practice) -> pl.DataFrame:
    """Write ``excluded``: the first trap that bars the person."""
    left_out = {
        "fictitious_number": practice.fictitious_numbers == "leave_out",
        "shared_pseudonym": practice.shared_pseudonyms == "leave_out_persons",
    }
    marks = {"fictitious_number": "is_fictitious", "shared_pseudonym": "shares_pseudonym"}
    reasons = [pl.when(marks[trap]).then(pl.lit(trap)) for trap, barred in left_out.items() if barred]
    return gathered.with_columns(pl.col("shares_pseudonym").fill_null(False)).with_columns(
        excluded=pl.coalesce(*reasons, pl.lit(None, dtype=pl.String))
    )


def vital_status_known() -> pl.Expr:
    """Tell whether the death of a person would be known.

    It would not for members of local mutual sections (ORG_AFF_BEN with M third) whose death nothing tells: Santé
    publique
    France's guide says that the vital status of these and of some schemes is poor, without saying which schemes; only
    the sections are told apart here.
    """
    return pl.col("death_date").is_not_null() | ~of_local_section().fill_null(False)


def counts(people: pl.DataFrame) -> dict[str, int]:
    """Count the persons that the traps of identity touch, whatever the switches."""
    return {
        "trap.policy_holder": people.filter(pl.col("n_pseudonyms") > 1).height,
        "trap.shared_pseudonym": int(people["shares_pseudonym"].sum()),
        "trap.fictitious_number": int(people["is_fictitious"].sum()),
        "trap.renewed_pseudonyms": int(people["is_unnumbered"].sum()),
        "trap.geography": int(people["unusual_residence"].sum()),
        "trap.age_coding": int(people["age_from_lines"].sum()),
        "persons_vital_status_unknown": int((~people["vital_status_known"]).sum()),
        "persons_barred": int(people["excluded"].is_not_null().sum()),
    }


def with_age_of_lines(
    people: pl.DataFrame, links: Links, claims: pl.LazyFrame, person: tuple[str, ...]
) -> pl.DataFrame:
    """Fill the missing years of birth from the ages that claims carry, and say where (``age_from_lines``).

    BEN_AMA_COD counts years from two years on, and is 1000 and the months under two; 9999 and what is above
    1023 are no age. The month of care less the age gives the latest month of birth; the earliest of them is nearest to
    the truth, exact as soon as one care follows the birthday in its year.

    Parameters
    ----------
    people : polars.DataFrame
        Result of `persons`.
    links : Links
        Result of `link`.
    claims : polars.LazyFrame
        ER_PRS_F or NS_PRS_F: the columns of `person`, ``EXE_SOI_DTD``, ``BEN_AMA_COD``.
    person : tuple of str
        What names the person in `claims`: PAIR or BEN_IDT_ANO.
    """
    lacking = people.filter(pl.col("birth_year").is_null()).select("person")
    if lacking.is_empty():
        return people.with_columns(age_from_lines=pl.lit(False))
    bearers = (links.pairs if list(person) == PAIR else links.idents).join(lacking, on="person", how="semi")
    age = pl.col("BEN_AMA_COD")
    months = (
        pl.when(age.is_between(2, OLDEST_YEARS))
        .then(age * 12)
        .when(age.is_between(1000, 1000 + 23))
        .then(age - 1000)
    )
    care = pl.col("EXE_SOI_DTD").dt.year() * 12 + pl.col("EXE_SOI_DTD").dt.month() - 1
    found = (
        claims.select(*person, born=((care - months) // 12).cast(pl.Int32))
        .join(bearers.lazy(), on=person)
        .group_by("person")
        .agg(pl.col("born").min())
        .collect()
    )
    told = people.join(found, on="person", how="left", maintain_order="left")
    return told.with_columns(
        pl.coalesce("birth_year", "born").alias("birth_year"),
        age_from_lines=pl.col("birth_year").is_null() & pl.col("born").is_not_null(),
    ).drop("born")


@dataclass(frozen=True)
class Links:
    """From what a table writes to the person.

    Parameters
    ----------
    pairs : polars.DataFrame
        ``BEN_NIR_PSA``, ``BEN_RNG_GEM``, ``person``: lines of DCIR, long-term illnesses.
    idents : polars.DataFrame
        ``BEN_IDT_ANO``, ``person``: lines of DCIRS, causes of death.
    pseudonyms : polars.DataFrame
        ``NIR_ANO_17``, ``person``: stays, which carry no birth rank. A pseudonym of several persons (twins of one sex)
        can't be attributed and is left out.
    """

    pairs: pl.DataFrame
    idents: pl.DataFrame
    pseudonyms: pl.DataFrame

    def of(self, persons: pl.DataFrame) -> Links:
        """Keep the links of these persons (column ``person``)."""
        return Links(
            *(
                table.join(persons, on="person", how="semi")
                for table in (self.pairs, self.idents, self.pseudonyms)
            )
        )

    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Return the links under the names by which K1 asks for them."""
        return {"pairs": self.pairs, "idents": self.idents, "pseudonyms": self.pseudonyms}


def link(pairs: pl.DataFrame, people: pl.DataFrame) -> Links:
    """Return the links of every person.

    Parameters
    ----------
    pairs : polars.DataFrame
        Result of `registry`.
    people : polars.DataFrame
        Result of `persons`.
    """
    rows = pairs.join(people.select("patient_id", "person"), on="patient_id")
    bearers = rows.select("BEN_NIR_PSA", "person").drop_nulls().unique()
    alone = bearers.filter(pl.len().over("BEN_NIR_PSA") == 1)
    return Links(
        pairs=rows.select(*PAIR, "person").drop_nulls("BEN_NIR_PSA").unique().sort(PAIR),
        idents=rows.select("BEN_IDT_ANO", "person").drop_nulls().unique().sort("BEN_IDT_ANO"),
        pseudonyms=alone.rename({"BEN_NIR_PSA": "NIR_ANO_17"}).sort("NIR_ANO_17"),
    )
