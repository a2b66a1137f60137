"""Every number of the synthetic population, with its source.

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
FEMALE_SHARE = 0.994  # ours, near the usual 1 % of breast cancers in men
AGE_MEDIAN, AGE_SD, AGE_RANGE = 60.0, 13.0, (25, 97)  # median 60: FRESH, Dumas 2022; spread ours
FRAIL_AT_60, FRAIL_PER_YEAR = -1.25, 0.05  # ours: logit of being frail, about 25 %
GP_POOR_SHARE = 0.25  # ours: sees a general practitioner less than once a year
FAR_SHARE = 0.30  # ours: lives far from the treating centre
ALD_SHARE = 0.92  # ours; not everyone has the long-term illness status (SNDS documentation)
PUBLIC_SHARE = 0.55  # ours
CHANGES_FACILITY_SHARE = 0.48  # biopsy and treatment in different centres: regional cohort 2015, n=505
OUT_OF_TERRITORY_SHARE = (0.04, 0.30)  # ours: treated in another département; others, far
SCREENED_SHARE_50_74 = 0.50  # ours

STAGE_SHARES = (0.45, 0.37, 0.12, 0.06)  # ours: I, II, III, IV
SUBTYPES = ("luminal", "triple_negative", "her2")
SUBTYPE_SHARES = (0.802, 0.095, 0.103)  # FRESH, Dumas 2022, n=235 368

# --- survival ---------------------------------------------------------------------------------------------
EXCESS_HAZARD_PER_YEAR = (
    0.006,
    0.020,
    0.060,
    0.300,
)  # ours, by stage; 5-year net survival near 87 % (2005-2010)
OTHER_DEATH_LOG_HAZARD_AT_60, OTHER_DEATH_PER_YEAR = -5.3, 0.104  # ours: 0.5 % a year at 60, 4 % at 80

# --- treatment --------------------------------------------------------------------------------------------
CONSERVING_SHARE = (0.82, 0.74, 0.42)  # ours by stage; about 70 % overall (screened 82, others 70 %)
NEOADJUVANT_LOGIT = {
    "base": -3.75,
    "stage_2": 1.2,
    "stage_3": 2.6,
    "not_luminal": 1.3,
    "per_year": 0.0,
}  # ours; about 8 %
ADJUVANT_LOGIT = {
    "base": -1.50,
    "stage_2": 1.3,
    "stage_3": 2.4,
    "not_luminal": 1.6,
    "per_year": -0.05,
}  # ours; 30-35 %
PRIMARY_ENDOCRINE_SHARE_80 = 0.30  # ours: no surgery after 80 in luminal disease
STAGE_4_CHEMOTHERAPY_SHARE = 0.55  # ours
PORT_SHARE = 0.85  # ours
CHEMO_FULL_STAY_SHARE = 0.06  # ours: first course given in an ordinary stay
POSTPONED_SHARE = 0.18  # ours: the sessions after the third are a week late (never with trastuzumab)
REGIMEN_OFFSETS = (
    tuple(21 * k for k in range(6)),
    (0, 21, 42, *(63 + 7 * k for k in range(9))),
    tuple(21 * k for k in range(8)),
)
"""Days of the sessions: six courses every 21 days; three, then nine weekly; eight every 21 days (ours)."""
REGIMEN_SHARES = (0.70, 0.25, 0.05)
PALLIATIVE_OFFSETS = tuple(21 * k for k in range(6))
TRASTUZUMAB_INFUSIONS = 17  # a year, one every 21 days

IMAGING_TO_BIOPSY = (1.85, 0.6)  # lognormal; mean 7.6 days: VICAN2 has 6.3 to 8.1
START_MEAN_MU = (
    3.434  # biopsy to first treatment: median 31 d (Ayrault-Piault 2016) and P(> 42 d) = 33 % (n=505, 2015)
)
START_TOTAL_SIGMA = 0.69
SURGERY_TO_CHEMO = (3.58, 0.33)  # mean 38 days (ours; near 40)
NEOADJUVANT_TO_SURGERY = (3.40, 0.25)  # mean 31 days (ours)
RT_MU_AFTER_SURGERY, RT_MU_AFTER_CHEMO, RT_SIGMA = 3.66, 2.70, 0.38
"""Last surgery or chemotherapy to the first radiotherapy step (planning), lognormal. Sessions begin 7 to 13 days later,
so that surgery to session is near 52.7 days without and 172.6 days with chemotherapy (means, VICAN2, INCa 2014)."""
RT_AFTER_MASTECTOMY_SHARE = (0.35, 0.72, 0.97)  # ours, by stage; 85.3 % irradiated overall (FRESH)
RT_FRACTIONS, RT_FRACTION_SHARES = (5, 15, 16, 25), (0.15, 0.40, 0.25, 0.20)  # ours
ENDOCRINE_SHARE = 0.90  # of luminal; 70.4 % of all start (FRESH)
ENDOCRINE_START = (3.1, 0.4)  # after the end of the local treatment, mean 24 days (ours)
QUARTERLY_SUPPLY_SHARE = 0.30  # ours: boxes for 90 days
RECONSTRUCTION_SHARE = 0.25  # ours, after mastectomy, before 70
LATENESS = ((0, 5, 0.90), (6, 20, 0.08), (21, 60, 0.02))
"""Days between the end of a supply and the next refill when the woman continues: (from, to, probability) (ours)."""
RESTART_SHARE, RESTART_MEAN_DAYS = 0.40, 120.0  # ours
LATER_HAZARD_RATIO = 0.42
"""Monthly hazard after the first year over that of the first year. With a mean of 1.15 % a month in year one: 12-14 %
stopped at one year (meta-regression) and about 31 % at five (gap of 90 days, Bosco-Lévy 2016)."""
SURVEILLANCE = (5.919, 0.10)  # surgery to first mammography, median 372 days (yearly: HAS 2014; spread ours)
SURVEILLANCE_RETURN_SHARE, SURVEILLANCE_RETURN_MEAN_DAYS = 0.5, 150.0  # ours: comes back later

# --- the four planted breakdowns --------------------------------------------------------------------------
WITHIN_DAYS = {
    "late_start": 42,
    "radiotherapy_missed": 112,
    "endocrine_interruption": 90,
    "surveillance_lapse": 548,
}
"""Days after which the step counts as broken; operational, not official."""

EFFECTS = {
    "late_start": {
        "facility": 0.45, "deprivation": 0.15, "frail": 0.25, "far": 0.30, "gp_poor": 0.20, "no_ald": 0.25,
        "hotspot": 0.35,
    },
    "radiotherapy_missed": {
        "facility": 0.40, "deprivation": 0.35, "frail": 0.80, "far": 0.90, "gp_poor": 0.50, "no_ald": 0.60, "age": 0.40,
        "hotspot": 0.90,
    },
    "radiotherapy_delay": {"facility": 0.08, "deprivation": 0.05, "frail": 0.10, "far": 0.12, "hotspot": 0.35},
    "endocrine_interruption": {
        "deprivation": 0.25, "frail": 0.35, "gp_poor": 0.70, "no_ald": 0.90, "young": 0.60, "tamoxifen": 0.45,
        "hotspot": 0.90,
    },
    "surveillance_lapse": {
        "deprivation": 0.35, "frail": 0.70, "far": 0.35, "gp_poor": 0.60, "no_ald": 0.70, "age": 0.35, "hotspot": 0.90,
    },
}  # fmt: skip
"""Effect of each covariate on the log-mean delay (late_start, radiotherapy_delay), the log-odds of never having the
step (radiotherapy_missed, surveillance_lapse) or the log monthly hazard (endocrine_interruption). Directions follow
published predictors (number of centres, deprivation, no ALD, age under 40, tamoxifen); sizes are ours."""

BASE_LOGIT = {"radiotherapy_missed": -2.95, "surveillance_lapse": -1.11}
BASE_LOG_HAZARD = -4.58

# --- other care -------------------------------------------------------------------------------------------
GP_VISITS_PER_YEAR = (3.0, 0.7)  # ours: others, gp_poor
EMERGENCIES_PER_YEAR = (0.06, 0.45)  # ours: others, frail
STAYS_PER_YEAR = (0.05, 0.25)  # ours: stays for the cancer; others, frail
OTHER_STAYS_PER_YEAR = 0.05  # ours: stays with the cancer as associated diagnosis only: no event
NOISE_LINES_PER_YEAR = 4.0  # ours: pharmacy, biology, nursing, dental and other specialists: no event
BYSTANDER_SHARE = 0.10  # ours: beneficiaries beside the patients, without breast cancer

# --- codes (CCAM, CIM-10, GHM, ATC/CIP13, UCD, nature of care: public nomenclatures) ----------------------
CONSERVING_CODES = ("QEFA004", "QEFA017", "QEFA001", "QEFA008")
MASTECTOMY_CODES = ("QEFA019", "QEFA003", "QEFA005")
BIOPSY_CODES = ("QEHJ001", "QEHJ004", "QEHJ005", "QEHH001")
PATHOLOGY_CODES = ("QEQX004", "QEQX005", "FCQX005")
RECONSTRUCTION_CODES = ("QEMA006", "QEMA008", "QEMA011", "QEMA020")
PLANNING_CODES = ("ZZMK021", "ZZMK024", "ZZMK019")
FRACTION_CODES = ("ZZNL065", "ZZNL063", "ZZNL050")
FRACTION_SUPPLEMENTS = ("YYYY045", "YYYY099", "YYYY101", "YYYY122")
ARCHIVING_SUPPLEMENT = "YYYY600"
TUMOUR_CODES = ("C504", "C509", "C505", "C502")
TAMOXIFEN_CIP13 = ("3400934639470", "3400936143524")
AROMATASE_INHIBITOR_CIP13 = ("3400938435610", "3400938515145", "3400934147425", "3400934625923", "3400935279668",
                             "3400949931859")  # fmt: skip
UNRELATED_CIP13 = (
    "3400936291706",
    "3400936158832",
    "3400937395793",
    "3400932539192",
    "3400937800853",
    "3400927585111",
)
TRASTUZUMAB_UCD = ("0000009438761", "0000009220097", "0000009435604")
SESSION_GHM = ("28Z24Z", "28Z11Z", "28Z23Z", "28Z25Z", "28Z18Z")
PLANNING_GHM = ("28Z20Z", "28Z21Z", "28Z19Z", "28Z22Z")
GP_NATURES, GP_NATURE_SHARES = (1110, 1111, 1109, 1211, 1192, 1191), (0.40, 0.38, 0.08, 0.06, 0.05, 0.03)
GP_SPECIALTIES, GP_SPECIALTY_SHARES = (1, 22, 23), (0.86, 0.08, 0.06)
SPECIALIST_NATURES, SPECIALIST_NATURE_SHARES = (1112, 1117, 1105, 1157), (0.80, 0.10, 0.05, 0.05)
ONCOLOGIST_SPECIALTIES, ONCOLOGIST_SHARES = (73, 74, 76), (0.45, 0.45, 0.10)
SURGEON_SPECIALTIES, SURGEON_SHARES = (4, 49), (0.8, 0.2)
PHARMACY, HOSPITAL_DRUG, GHS, EMERGENCY = 3313, 3320, 2111, 2238
IMAGING_ACT, TECHNICAL_ACT, SURGICAL_ACT, ULTRASOUND_ACT = 1351, 1352, 1321, 1324
NOISE_NATURES, NOISE_NATURE_SHARES = (3313, 3211, 3125, 1423, 1112), (0.45, 0.25, 0.10, 0.08, 0.12)
NOISE_SPECIALTIES = (
    15,
    6,
    8,
    13,
    16,
)  # eye, radiology, gastro-enterology, lung, urology: no listed consultation

FLUX_LAG_SHARES = (0.60, 0.23, 0.08, 0.04, 0.02, 0.01, 0.006, 0.005, 0.004, 0.002, 0.002, 0.001)
"""Share of lines by months from care to flux, from one: 98 % within six (SNDS documentation); the split is ours."""
CLEAN_LAG_SHARES = (0.70, 0.30)
