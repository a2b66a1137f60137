"""Where epidemiologists differ: each choice is a switch, with its default and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEATH_SOURCES = ("causes", "beneficiaries", "stays")
"""KI_CCI_R, IR_BEN_R, discharge mode 9 of a stay."""


@dataclass(frozen=True)
class Practice:
    """How the readers treat the points on which practice differs; the table ``[snds]`` of a definition sets them.

    Parameters
    ----------
    shared_pseudonyms : {'leave_out_stays', 'leave_out_persons'}
        A pseudonym of several persons (twins of one sex): their stays can't be attributed and are left out; the
        persons themselves stay, since their claims can (they have a birth rank).
    fictitious_numbers : {'leave_out', 'keep'}
        Persons whose every BEN_CDI_NIR says that the number is fictitious (not 00, 03, 04): left out, since a new
        number may hide the same person.
    return_codes : {'all_zero', 'ignored'}
        Stays whose chaining return codes are not all 0: left out, since they may be somebody else's.
    double_facilities : {'cnam', 'drees', 'keep'}
        Hospitals of AP-HP, HCL and AP-HM that report twice: the 46 codes of the CNAM or the 166 of DREES are left out.
        Default 'drees': the longer list contains the other, and a geographic code kept by mistake doubles stays.
    double_facilities_until : int
        Last year of that double report: 2017; the CNAM's text says 2018.
    automatic_stays : {'keep', 'leave_out'}
        TYP_GEN_RSA ≠ 0 (from 2015) or GHS 9999: kept, since only costs are wrong in them; the care took place.
    provider_stays : {'sessions', 'all_28', 'leave_out', 'keep'}
        SEJ_TYP = B, care given for another hospital: only dialysis, chemotherapy and radiotherapy sessions are
        kept (list of pypmsi); 'all_28' keeps every GHM 28 but 28Z14Z to 28Z16Z (SCALPEL).
    grouped_sessions : {'expanded', 'weighted'}
        One row for NBR_SEA sessions: one event a session, evenly spread, or one event with its quantity.
    private_drugs : {'dcir', 'pmsi'}
        Drugs outside the GHS in private hospitals, told by ER_UCD_F and by T_MCOaaFH: the claim is dated and comes
        first.
    retrocession : {'dcir', 'pmsi'}
        Drugs handed out by hospitals, told by ER_UCD_F and by T_MCOaaFHSTC: as above.
    public_leaks : {'leave_out', 'keep'}
        Public stays billed in DCIR (ETE_IND_TAA = 1, FIDES): left to the PMSI.
    regularisations : {'netted', 'positive_lines'}
        Negative lines are summed with what they correct; 'positive_lines' drops them, and keeps cancelled originals.
    metastases : {'with_primary', 'ignored'}
        A stay whose principal diagnosis is C77 to C79 with the primary tumour beside it is a stay for the disease.
    archived_persons : {'gathered', 'current_only'}
        IR_BEN_R_ARC is gathered with IR_BEN_R.
    death_order : tuple of {'causes', 'beneficiaries', 'stays'}
        Which source dates a death first: KI_CCI_R, IR_BEN_R, discharge mode 9.
    infer_regimens : bool
        Name a regimen from the spacing of sessions: off, since molecules inside the GHS leave no trace and spacing
        guesses them with low confidence.
    """

    shared_pseudonyms: Literal["leave_out_stays", "leave_out_persons"] = "leave_out_stays"
    fictitious_numbers: Literal["leave_out", "keep"] = "leave_out"
    return_codes: Literal["all_zero", "ignored"] = "all_zero"
    double_facilities: Literal["cnam", "drees", "keep"] = "drees"
    double_facilities_until: int = 2017
    automatic_stays: Literal["keep", "leave_out"] = "keep"
    provider_stays: Literal["sessions", "all_28", "leave_out", "keep"] = "sessions"
    grouped_sessions: Literal["expanded", "weighted"] = "expanded"
    private_drugs: Literal["dcir", "pmsi"] = "dcir"
    retrocession: Literal["dcir", "pmsi"] = "dcir"
    public_leaks: Literal["leave_out", "keep"] = "leave_out"
    regularisations: Literal["netted", "positive_lines"] = "netted"
    metastases: Literal["with_primary", "ignored"] = "with_primary"
    archived_persons: Literal["gathered", "current_only"] = "gathered"
    death_order: tuple[str, ...] = DEATH_SOURCES
    infer_regimens: bool = False
