"""SQL for the CNAM portal, where SAS, Oracle and R are, and Python is not.

`extract_sql` writes a script whose results `build` reads as any other extract; or, with ``aggregate``, a script whose
results are anonymous tables, which `build` reads with ``--from aggregate``.
"""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date
from importlib.metadata import version
from pathlib import Path

from eventlogs.errors import InputError
from eventlogs.practice import Practice
from eventlogs.snds.codes import code_lists, medicines
from eventlogs.snds.oracle.aggregation import Identity, aggregation
from eventlogs.snds.oracle.events import SWITCHES, Words
from eventlogs.snds.oracle.extraction import extraction
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Script
from pathways import definition
from pathways.definition import Pathway

PERIOD = re.compile(r"(\d{4})(?:-(\d{4}))?")

HEADER = """\
{title} (care-pathways {version})

FOR AUTHORISED SNDS ENVIRONMENTS ONLY. Run it in a project space of the CNAM portal, or another place that is
authorised to hold SNDS data, under your own account and your own authorisation, for the purpose of that
authorisation. {leaves}

Who runs it: a person with access to the SNDS tables named below, who may create tables in {space}.
How: in SAS (PROC SQL, pass-through), SQL*Plus, SQL Developer or R (ROracle): statements end with ; on a line.
What it reads: {reads}.
What it writes: tables {space}.{prefix}* only; the last lines say how to remove them.

Definition: {id}, version {pathway_version}
sha256 {sha256}
Years of care {first} to {last}, months of arrival until {flux_end}
Archived years (tables ER_PRS_F_20aa): {archived}
"""

EXPORT = """\
TO EXPORT: write each of these tables as a CSV file with a header, separated by ;, under the name at the right, into one
folder. Dates as YYYY-MM-DD (DD/MM/YYYY and 01JAN2020 are read too); text as it is.
{exports}

With SAS:
  PROC EXPORT DATA=orauser.{example} OUTFILE="extract/{file}.csv" DBMS=DLM REPLACE; DELIMITER=';'; RUN;
With R (ROracle):
  Sys.setenv(NLS_DATE_FORMAT = "YYYY-MM-DD")
  table <- dbGetQuery(connection, "SELECT * FROM {space}.{example}")
  write.table(table, "extract/{file}.csv", sep = ";", dec = ".", row.names = FALSE, na = "")
"""

BUILD = """\
The folder stays in the authorised environment. Beside the tables, a file extract.toml names the extraction and says
until when care is complete:
  extraction = "{id} {first}-{last}"
  [cutoff]
  all = {cutoff}

Then, where Python is: pathways build extract -o study --pathway {id}
"""

BUILD_AGGREGATE = """\
Only these tables may leave, once your environment's own rules of export have been followed: every other table of this
script is individual data or an exact count.

Then, anywhere: pathways build extract -o study --pathway {id} --from aggregate
and:            pathways serve study
"""

DROP = """\
TO REMOVE the tables of this script once exported:
{drops}
"""

LEAVES = {
    False: "Its results are individual data: they stay in that environment.",
    True: "Its results are anonymous tables; all that it makes on the way is individual data and stays.",
}


def extract_sql(
    pathway: str | Path,
    years: str,
    *,
    out: str | Path | None = None,
    archived: str = "",
    space: str = "ORAUSER",
    prefix: str = "CP_",
    flux_months: int = 6,
    rounds: int = 4,
    aggregate: bool = False,
) -> Script:
    """Write the Oracle SQL that extracts from the SNDS what a pathway definition needs.

    Parameters
    ----------
    pathway : str or path
        A built-in definition's name or a TOML file; it must ask for a diagnosis.
    years : str
        Years of care: ``2018-2023`` or ``2021``.
    out : path, optional
        File to write; default: none, the script is only returned.
    archived : str
        Years whose claims are in yearly tables, as `years`; default: none.
    space : str
        Oracle schema where the script may make tables.
    prefix : str
        Of the tables that it makes.
    flux_months : int
        Months of arrival read after the last year (SNDS documentation: with 6, 98 to 99 % of care has arrived).
    rounds : int
        How often linked pseudonyms are looked for.
    aggregate : bool
        Whether the script goes on to count, and leaves only tables above the threshold to export.

    Returns
    -------
    Script
        ``str(script)`` is the file, ``script.statements`` the statements, ``script.results`` what to export.

    Raises
    ------
    DefinitionError
        The definition can't be read, or asks for no diagnosis.
    InputError
        Years, names or numbers can't be; or `out` can't be written; or, with `aggregate`, the definition sets a switch
        that the counting does not follow.
    """
    chosen = definition.load(pathway)
    first, last = period(years)
    portal = Portal(first, last, _archived(archived), space, prefix, flux_months, rounds)
    bare = _aggregation(chosen, portal) if aggregate else _extraction(chosen, portal)
    header, footer = (
        _header(chosen, portal, aggregate=aggregate),
        _footer(chosen, portal, bare, aggregate=aggregate),
    )
    script = Script(header, bare.sections, bare.results, footer)
    if out is not None:
        _write(Path(out), script)
    return script


def _extraction(pathway: Pathway, portal: Portal) -> Script:
    rules = pathway.rules()
    return extraction(rules, code_lists(rules, medicines()), portal)


def _aggregation(pathway: Pathway, portal: Portal) -> Script:
    _refuse_other_switches(pathway)
    rules = pathway.rules()
    words = Words(pathway.phase_of(), pathway.milestones)
    identity = Identity(pathway.id, pathway.version, pathway.sha256)
    return aggregation(rules, code_lists(rules, medicines()), words, identity, portal)


def _refuse_other_switches(pathway: Pathway) -> None:
    """Refuse a switch that the counting SQL would not follow."""
    usual = Practice()
    for name in (field.name for field in fields(Practice) if field.name not in SWITCHES):
        if getattr(pathway.practice, name) != getattr(usual, name):
            raise InputError(
                f"{pathway.id}: [snds] sets {name}, which the SQL that counts does not follow; "
                "leave --aggregate out, or that switch at its default"
            )


def period(years: str) -> tuple[int, int]:
    """Return the first and last of ``2018-2023`` or ``2021``.

    Raises
    ------
    InputError
        It is neither.
    """
    found = PERIOD.fullmatch(years.strip())
    if found is None:
        raise InputError(f"'{years}' is no period; write 2018-2023, or one year")
    return int(found[1]), int(found[2] or found[1])


def _archived(years: str) -> tuple[int, ...]:
    if not years:
        return ()
    first, last = period(years)
    return tuple(range(first, last + 1))


def _header(pathway: Pathway, portal: Portal, *, aggregate: bool) -> str:
    *_, end = portal.flux()
    what = "Anonymous tables" if aggregate else "SNDS extraction"
    return HEADER.format(
        title=f"{what} for the pathway {pathway.id}",
        leaves=LEAVES[aggregate],
        reads="IR_BEN_R, IR_BEN_R_ARC, the claims and the hospital tables named in sections 4 to 6",
        version=version("care-pathways"),
        space=portal.space,
        prefix=portal.prefix,
        id=pathway.id,
        pathway_version=pathway.version,
        sha256=pathway.sha256,
        first=portal.first_year,
        last=portal.last_year,
        flux_end=f"{end.day:%Y-%m}",
        archived=", ".join(map(str, portal.archived)) or "none",
    )


def _footer(pathway: Pathway, portal: Portal, script: Script, *, aggregate: bool) -> str:
    made = re.findall(r"CREATE TABLE (\S+)", "\n".join(script.statements))
    table, file = script.results[0]
    return "\n".join([EXPORT, BUILD_AGGREGATE if aggregate else BUILD, DROP]).format(
        exports="\n".join(f"  {table} -> {name}.csv" for table, name in script.results),
        drops="\n".join(f"  DROP TABLE {table} PURGE;" for table in made),
        example=table.split(".")[1],
        file=file,
        space=portal.space,
        cutoff=date(portal.last_year, 12, 31),
        first=portal.first_year,
        last=portal.last_year,
        id=pathway.id,
    )


def _write(path: Path, script: Script) -> None:
    try:
        path.write_text(str(script), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}); choose another place") from error
