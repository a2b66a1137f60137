"""Numbers of the synthetic population that all cancers share, with their source; `cancers` has those of each.

*Published* numbers name their paper; *ours* are choices made so that the extract looks plausible and exercises a
reader. Nothing here describes real patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

NEVER = 10**8
"""Day number of what does not happen (days count from 1970-01-01)."""


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Calendar:
    """Days between which index dates fall, the end of follow-up and the last flux month of the extract."""

    first_index: int = day_number(date(2019, 1, 1))
    last_index: int = day_number(date(2022, 12, 31))
    end: int = day_number(date(2023, 12, 31))
    last_flux: int = day_number(date(2024, 6, 1))


LOOKBACK_DAYS = 150
"""Nothing of the listed activities happens earlier than this before the biopsy (ours; readers keep 180 days)."""

READ_LOOKBACK_DAYS = 180
"""A reader leaves out what happened earlier than this before the index it found."""

POPULATION_THOUSANDS = """
01:679 02:523 03:333 04:168 05:143 06:1128 07:334 08:266 09:156 10:310 11:380 12:280 13:2088 14:709 15:144 16:353
17:672 18:299 19:241 21:540 22:612 23:116 24:418 25:547 26:524 27:603 28:433 29:933 2A:168 2B:187 30:771 31:1471
32:193 33:1690 34:1230 35:1121 36:216 37:619 38:1299 39:258 40:434 41:329 42:774 43:229 44:1488 45:691 46:176 47:334
48:76 49:834 50:498 51:563 52:168 53:305 54:732 55:180 56:783 57:1051 58:201 59:2616 60:830 61:275 62:1458 63:664
64:707 65:231 66:497 67:1164 68:771 69:1915 70:233 71:550 72:567 73:448 74:861 75:2104 76:1261 77:1468 78:1485 79:375
80:565 81:397 82:266 83:1119 84:572 85:714 86:439 87:373 88:357 89:332 90:140 91:1338 92:1655 93:1704 94:1427 95:1282
971:384 972:361 973:294 974:890 976:257
"""
"""Inhabitants of the 101 départements in thousands (INSEE, rounded); patients are drawn in proportion."""

COMMUNES_PER_TERRITORY = 12  # ours: invented numbers 001 to 012
FACILITY_SLOTS = 4  # ours: two public, then two private facilities in each département
HOTSPOT_MIN_SHARE = 60 / 20_000  # a hotspot must have at least 60 expected patients in 20 000

# --- who --------------------------------------------------------------------------------------------------
FRAIL_AT_60, FRAIL_PER_YEAR = -1.25, 0.05  # ours: logit of being frail, about 25 % with breast cancer
GP_POOR_SHARE = 0.25  # ours: sees a general practitioner less than once a year
FAR_SHARE = 0.30  # ours: lives far from the treating centre
ALD_SHARE = 0.92  # ours; not everyone has the long-term illness status (SNDS documentation)
PUBLIC_SHARE = 0.55  # ours
CHANGES_FACILITY_SHARE = (
    0.48  # biopsy and treatment in different centres: regional cohort 2015, n=505 (breast)
)
OUT_OF_TERRITORY_SHARE = (0.04, 0.30)  # ours: treated in another département; others, far

# --- survival ---------------------------------------------------------------------------------------------
OTHER_DEATH_LOG_HAZARD_AT_60, OTHER_DEATH_PER_YEAR = -5.3, 0.104  # ours: 0.5 % a year at 60, 4 % at 80
DEATH_AFTER_DAYS = 20  # ours: nobody dies earlier than this after the index
PALLIATIVE_SHARE = (0.65, 0.50, 0.02)  # ours: of cancer deaths; of others with metastases; of others
PALLIATIVE_MEAN_DAYS = 25.0  # ours: from palliative care to death

# --- treatment --------------------------------------------------------------------------------------------
PORT_SHARE = 0.85  # ours
PALLIATIVE_OFFSETS = tuple(21 * k for k in range(6))  # ours: days of the sessions of a later line
CHEMO_FULL_STAY_SHARE = 0.06  # ours: first course given in an ordinary stay
EARLY_STOP_SHARE = 0.08  # ours: chemotherapy that ends after two to four sessions (not with breast cancer)
POSTPONED_SHARE = 0.18  # ours: the sessions after the third are a week late
HOME_PALLIATIVE_SHARE = 0.25  # ours: palliative care begins at home (HAD) and not in a hospital bed
REHABILITATION_SHARE = {"frail": 0.12, "others": 0.02}  # ours: a rehabilitation stay after the operation

# --- planted breakdowns -----------------------------------------------------------------------------------
EFFECTS = {
    "late_start": {
        "facility": 0.45, "deprivation": 0.15, "frail": 0.25, "far": 0.30, "gp_poor": 0.20, "no_ald": 0.25,
        "hotspot": 0.35,
    },
    "surveillance_lapse": {
        "deprivation": 0.35, "frail": 0.70, "far": 0.35, "gp_poor": 0.60, "no_ald": 0.70, "age": 0.35, "hotspot": 0.90,
    },
}  # fmt: skip
"""Effect of each covariate on the log-mean delay (late_start, for a delay whose log has a standard deviation of
`EFFECTS_SIGMA`; in proportion for others) or the log-odds of never having the step (surveillance_lapse). Directions
follow published predictors (number of centres, deprivation, no ALD); sizes are ours. Each cancer adds its own."""

EFFECTS_SIGMA = 0.69
SURVEILLANCE_RETURN_SHARE, SURVEILLANCE_RETURN_MEAN_DAYS = 0.5, 150.0  # ours: comes back after the lapse
LATENESS = ((0, 5, 0.90), (6, 20, 0.08), (21, 60, 0.02))
"""Days between the end of a supply and the next refill of those who continue: (from, to, probability) (ours)."""
RESTART_SHARE, RESTART_MEAN_DAYS = 0.40, 120.0  # ours
LATER_HAZARD_RATIO = 0.42
"""Monthly hazard of stopping after the first year over that of the first year. With a mean of 1.15 % a month in year
one: 12-14 % stopped at one year (meta-regression) and about 31 % at five (gap of 90 days, Bosco-Lévy 2016)."""
INTERRUPTION_DAYS = 90
"""Days without supply after which a treatment counts as interrupted (Bosco-Lévy 2016, breast)."""

# --- other care -------------------------------------------------------------------------------------------
GP_VISITS_PER_YEAR = (3.0, 0.7)  # ours: others, gp_poor
EMERGENCIES_PER_YEAR = (0.06, 0.45)  # ours: others, frail
STAYS_PER_YEAR = (0.05, 0.25)  # ours: stays for the cancer; others, frail
OTHER_STAYS_PER_YEAR = 0.05  # ours: stays with the cancer as associated diagnosis only: no event
NOISE_LINES_PER_YEAR = 4.0  # ours: pharmacy, biology, nursing, dental and other specialists: no event
BYSTANDER_SHARE = 0.10  # ours: beneficiaries beside the patients, without the cancer
HOSPITAL_VISIT_SHARE = (
    0.45  # ours: specialist consultations of patients of public centres that are external care
)

# --- codes (CCAM, CIM-10, GHM, ATC/CIP13, UCD, nature of care: public nomenclatures) ----------------------
PLANNING_CODES = ("ZZMK021", "ZZMK024", "ZZMK019")
FRACTION_CODES = ("ZZNL065", "ZZNL063", "ZZNL050")
FRACTION_SUPPLEMENTS = ("YYYY045", "YYYY099", "YYYY101", "YYYY122")
ARCHIVING_SUPPLEMENT = "YYYY600"
UNRELATED_CIP13 = (
    "3400936291706",
    "3400936158832",
    "3400937395793",
    "3400932539192",
    "3400937800853",
    "3400927585111",
)
SESSION_GHM = ("28Z24Z", "28Z11Z", "28Z23Z", "28Z25Z", "28Z18Z")
PLANNING_GHM = ("28Z20Z", "28Z21Z", "28Z19Z", "28Z22Z")
GP_NATURES, GP_NATURE_SHARES = (1110, 1111, 1109, 1211, 1192, 1191), (0.40, 0.38, 0.08, 0.06, 0.05, 0.03)
GP_SPECIALTIES, GP_SPECIALTY_SHARES = (1, 22, 23), (0.86, 0.08, 0.06)
SPECIALIST_NATURES, SPECIALIST_NATURE_SHARES = (1112, 1117, 1105, 1157), (0.80, 0.10, 0.05, 0.05)
ONCOLOGIST_SPECIALTIES, ONCOLOGIST_SHARES = (73, 74, 76), (0.45, 0.45, 0.10)
SURGEON_SPECIALTIES, SURGEON_SHARES = (4, 49), (0.8, 0.2)
PHARMACY, HOSPITAL_DRUG, GHS, EMERGENCY, BIOLOGY = 3313, 3320, 2111, 2238, 3211
IMAGING_ACT, TECHNICAL_ACT, SURGICAL_ACT, ULTRASOUND_ACT = 1351, 1352, 1321, 1324
NOISE_NATURES, NOISE_NATURE_SHARES = (3313, 3211, 3125, 1423, 1112), (0.45, 0.25, 0.10, 0.08, 0.12)
NOISE_SPECIALTIES = (15, 3, 5, 11, 14)  # eye, heart, skin, ear, joints: no listed consultation

FLUX_LAG_SHARES = (0.60, 0.23, 0.08, 0.04, 0.02, 0.01, 0.006, 0.005, 0.004, 0.002, 0.002, 0.001)
"""Share of lines by months from care to flux, from one: 98 % within six (SNDS documentation); the split is ours."""
CLEAN_LAG_SHARES = (0.70, 0.30)
