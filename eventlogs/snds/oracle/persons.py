"""Who is extracted: pseudonyms with a diagnosis of the cohort, and every pseudonym of the same persons."""

from __future__ import annotations

from collections.abc import Iterator

from eventlogs.activities import ActivityRules
from eventlogs.snds.beneficiaries import ALD_KINDS
from eventlogs.snds.chaining import FICTITIOUS
from eventlogs.snds.oracle.codes import begins, cohort_prefixes
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Section, Statement, indented, union
from eventlogs.snds.oracle.tables import STAY_KEYS, Family, families

SEEDS, ROUND, PSEUDONYMS = "SEEDS", "ROUND_{}", "PSEUDONYMS"

LINKS = ("BEN_NIR_PSA", "BEN_NIR_ANO", "BEN_IDT_ANO")
"""What rows of one person share; twins of one sex share the first and are taken together, for the reader to part."""


def seed_section(rules: ActivityRules, portal: Portal) -> Section:
    """Find the pseudonyms with a diagnosis of the cohort, in a long-term illness or a stay."""
    statements = [_illnesses(rules, portal), *(_stays(year, rules, portal) for year in portal.years)]
    return Section(
        "2. Pseudonyms with a diagnosis of the cohort",
        "In any position of a stay of the period, or as the reason of a long-term illness of any date. "
        "Chaining errors are not looked at here: the reader leaves such stays out.",
        tuple(statements),
    )


def _illnesses(rules: ActivityRules, portal: Portal) -> Statement:
    kinds = ", ".join(map(str, ALD_KINDS))
    return Statement(
        f"CREATE TABLE {portal.own(SEEDS)} AS\n"
        "SELECT DISTINCT i.BEN_NIR_PSA\n"
        "  FROM IR_IMB_R i\n"
        f" WHERE i.IMB_ETM_NAT IN ({kinds})\n"
        f"   AND ({begins('i.MED_MTF_COD', cohort_prefixes(rules))})",
        "Long-term illnesses, chosen by CIM-10 and not by their number.",
    )


def _stays(year: int, rules: ActivityRules, portal: Portal) -> Statement:
    selects = [_diagnosed(family, year, rules) for family in families() if _tells(family)]
    return Statement(
        f"INSERT INTO {portal.own(SEEDS)} (BEN_NIR_PSA)\n{union(selects)}", f"Stays discharged in {year}."
    )


def _tells(family: Family) -> bool:
    return family.chain is not None and bool(family.principal or family.associated)


def _diagnosed(family: Family, year: int, rules: ActivityRules) -> str:
    """Return the pseudonyms whose rows of one table hold a diagnosis of the cohort."""
    chain = str(family.chain)
    columns = [*family.principal, *([family.associated] if family.associated else [])]
    found = " OR ".join(begins(f"d.{column}", cohort_prefixes(rules)) for column in columns)
    on = " AND ".join(f"c.{key} = d.{key}" for key in STAY_KEYS[chain])
    return (
        "SELECT c.NIR_ANO_17\n"
        f"  FROM {family.of_year(year)} d\n"
        f"  JOIN {chain.replace('aa', f'{year % 100:02}', 1)} c ON {on}\n"
        f" WHERE {found}"
    )


def person_section(portal: Portal) -> Section:
    """Gather every pseudonym of the persons found, in rounds."""
    rounds = tuple(_rounds(portal))
    return Section(
        "3. All the pseudonyms of these persons",
        "A pseudonym is made from the policy-holder: it changes at a divorce, a first job, a change of scheme. "
        f"Each round adds the rows that share a pseudonym, a BEN_NIR_ANO or a BEN_IDT_ANO; {portal.rounds} rounds "
        "are written, and section 7 counts what one more would add: nothing, or write the script again with more "
        "rounds. Twins who share a pseudonym come together: the reader parts them.",
        (*rounds, _pseudonyms(portal)),
    )


def _rounds(portal: Portal) -> Iterator[Statement]:
    seeds = f"SELECT s.BEN_NIR_PSA FROM {portal.own(SEEDS)} s"
    first = [_linked(table, "BEN_NIR_PSA", seeds) for table in REGISTRIES]
    yield Statement(
        f"CREATE TABLE {portal.own(ROUND.format(0))} AS\n{union(first)}", "Rows of the pseudonyms."
    )
    for number in range(1, portal.rounds + 1):
        before = portal.own(ROUND.format(number - 1))
        yield Statement(
            f"CREATE TABLE {portal.own(ROUND.format(number))} AS\n{next_round(before)}", f"Round {number}."
        )


REGISTRIES = ("IR_BEN_R", "IR_BEN_R_ARC")


def next_round(before: str) -> str:
    """Return the rows that share a number with those of the round before, those included."""
    return union(_linked(table, link, _known(link, before)) for link in LINKS for table in REGISTRIES)


def _known(link: str, before: str) -> str:
    nobody = ", ".join(f"'{value}'" for value in FICTITIOUS)
    real = f" AND r.{link} NOT IN ({nobody})" if link == "BEN_NIR_ANO" else ""
    return f"SELECT r.{link} FROM {before} r WHERE r.{link} IS NOT NULL{real}"


def _linked(table: str, link: str, known: str) -> str:
    columns = ", ".join(f"b.{name}" for name in LINKS)
    return f"SELECT {columns}\n  FROM {table} b\n WHERE b.{link} IN (\n{indented(known, 6)})"


def _pseudonyms(portal: Portal) -> Statement:
    last = portal.own(ROUND.format(portal.rounds))
    return Statement(
        f"CREATE TABLE {portal.own(PSEUDONYMS)} AS\n"
        f"SELECT DISTINCT r.BEN_NIR_PSA\n  FROM {last} r\n WHERE r.BEN_NIR_PSA IS NOT NULL",
        "One row a pseudonym.",
    )
