-- # 9. Persons
-- Rows of one person share a pair (BEN_NIR_PSA, BEN_RNG_GEM), a BEN_NIR_ANO or a BEN_IDT_ANO. Each row has a number;
-- each round gives it the smallest of the rows that it shares one with.

CREATE TABLE ${own}LABEL_0 AS
SELECT x.BEN_NIR_PSA, x.BEN_RNG_GEM, x.BEN_NIR_ANO, x.BEN_IDT_ANO,
       ROW_NUMBER() OVER (ORDER BY x.BEN_NIR_PSA, x.BEN_RNG_GEM, x.BEN_IDT_ANO, x.BEN_NIR_ANO) AS PERSON
  FROM (
        SELECT b.BEN_NIR_PSA, b.BEN_RNG_GEM, b.BEN_IDT_ANO,
               CASE WHEN b.BEN_NIR_ANO IN ($fictitious) THEN NULL ELSE b.BEN_NIR_ANO END AS BEN_NIR_ANO
          FROM ${own}IR_BEN_R b
        UNION
        SELECT b.BEN_NIR_PSA, b.BEN_RNG_GEM, b.BEN_IDT_ANO,
               CASE WHEN b.BEN_NIR_ANO IN ($fictitious) THEN NULL ELSE b.BEN_NIR_ANO END AS BEN_NIR_ANO
          FROM ${own}IR_BEN_R_ARC b
       ) x
;

$label_rounds

-- The link of claims and long-term illnesses.
CREATE TABLE ${own}LINKS AS
SELECT l.BEN_NIR_PSA, l.BEN_RNG_GEM, MIN(l.PERSON) AS PERSON
  FROM ${own}LABEL_$rounds l
 GROUP BY l.BEN_NIR_PSA, l.BEN_RNG_GEM
;

-- The link of stays, which carry no birth rank: a pseudonym of several persons (twins of one sex) is left out.
CREATE TABLE ${own}CHAIN AS
SELECT k.BEN_NIR_PSA, MIN(k.PERSON) AS PERSON
  FROM ${own}LINKS k
 GROUP BY k.BEN_NIR_PSA
HAVING COUNT(DISTINCT k.PERSON) = 1
;

-- Sex, year of birth, the earliest date of death told; persons whose every number is fictitious are left out later.
CREATE TABLE ${own}PEOPLE AS
SELECT k.PERSON, MIN(b.BEN_SEX_COD) AS SEX_CODE,
       MIN(CASE WHEN b.BEN_NAI_ANN > 1880 THEN b.BEN_NAI_ANN END) AS BIRTH_YEAR,
       MIN(CASE WHEN b.BEN_DCD_DTE > TO_DATE('1700-01-01', 'YYYY-MM-DD') THEN b.BEN_DCD_DTE END) AS DEATH_DAY,
       MAX($real_number) AS REAL_NUMBER
  FROM (
        SELECT b.BEN_NIR_PSA, b.BEN_RNG_GEM, b.BEN_SEX_COD, b.BEN_NAI_ANN, b.BEN_DCD_DTE$number_column
          FROM ${own}IR_BEN_R b
        UNION ALL
        SELECT b.BEN_NIR_PSA, b.BEN_RNG_GEM, b.BEN_SEX_COD, b.BEN_NAI_ANN, b.BEN_DCD_DTE$number_column
          FROM ${own}IR_BEN_R_ARC b
       ) b
  JOIN ${own}LINKS k ON k.BEN_NIR_PSA = b.BEN_NIR_PSA AND k.BEN_RNG_GEM = b.BEN_RNG_GEM
 GROUP BY k.PERSON
;

-- # 10. Claims
-- Lines for information, supplements of an act and public stays are left out, an empty mark being none; then a
-- correction (a negative line) is summed with what it corrects: same person, code and day.

CREATE TABLE ${own}KEPT_LINES AS
SELECT k.PERSON, p.EXE_SOI_DTD AS CARE_DAY, p.PRS_ACT_QTE, TRIM(TO_CHAR(p.PRS_NAT_REF)) AS NATURE, p.PSE_SPE_COD,
       p.DCT_ORD_NUM, p.FLX_DIS_DTD, p.FLX_EMT_NUM, p.FLX_EMT_ORD, p.FLX_EMT_TYP, p.FLX_TRT_DTD, p.ORG_CLE_NUM,
       p.PRS_ORD_NUM, p.REM_TYP_AFF
  FROM ${own}ER_PRS_F p
  JOIN ${own}LINKS k ON k.BEN_NIR_PSA = p.BEN_NIR_PSA AND k.BEN_RNG_GEM = p.BEN_RNG_GEM
 WHERE NVL(p.DPN_QLF, 0) NOT IN (71, 72) AND NVL(p.PRS_DPN_QLP, 0) <> 71
   AND NVL(p.CPL_MAJ_TOP, 0) < 2 AND NVL(p.CPL_AFF_COD, 0) <> 16 AND NVL(p.BSE_PRS_NAT, 1) <> 0
   AND NOT EXISTS (
        SELECT e.DCT_ORD_NUM
          FROM ${own}ER_ETE_F e
         WHERE $same_line
         GROUP BY e.DCT_ORD_NUM
        HAVING MIN(CASE WHEN e.ETE_IND_TAA = 1 THEN 1 ELSE 0 END) = 1
       )
;

CREATE TABLE ${own}CODED_LINES (
  PERSON INTEGER, ACTIVITY VARCHAR2(60), SOURCE_TABLE VARCHAR2(30), CODE VARCHAR2(20), CARE_DAY DATE, QUANTITY INTEGER
)
;

$details

-- Consultations and the like: the nature of the service, by the specialty that performs it or by any.
INSERT INTO ${own}CODED_LINES (PERSON, ACTIVITY, SOURCE_TABLE, CODE, CARE_DAY, QUANTITY)
SELECT l.PERSON, a.ACTIVITY, 'ER_PRS_F', a.CODE, l.CARE_DAY, NVL(l.PRS_ACT_QTE, 1)
  FROM ${own}KEPT_LINES l
  JOIN ${own}ACTIVITIES a
    ON a.CODE_SYSTEM = 'PRS_NAT' AND a.CODE = l.NATURE AND (a.SPECIALTY IS NULL OR a.SPECIALTY = l.PSE_SPE_COD)
;

-- # 11. Stays
-- Left out: return codes other than 0, numbers that stand for nobody, abortions (legal reasons), errors of grouping (GHM
-- that begin with 90), stays given for another hospital unless they are sessions of dialysis, chemotherapy or
-- radiotherapy, and, where it was so, hospitals that report under two numbers.

CREATE TABLE ${own}STAYS AS
$stays
;

-- Every diagnosis of a stay, dots, signs and blanks off. IS_PRINCIPAL: of the whole stay; IS_RELATED: what the stay was
-- for (an associated diagnosis is, where the principal one is a metastasis).
CREATE TABLE ${own}DIAGNOSES AS
$diagnoses
;

-- Numbers from 0, to place the sessions of one row.
CREATE TABLE ${own}NUMBERS AS
SELECT t.N * 10 + u.N AS N
  FROM ($digits) t
 CROSS JOIN ($digits) u
;

-- What stays tell: acts on the day of entry and the delay; sessions spread evenly from entry to discharge; principal
-- diagnoses; diagnoses in any position.
CREATE TABLE ${own}HOSPITAL AS
$acts
UNION ALL
SELECT s.AA, s.ETA_NUM, s.RSA_NUM, s.PERSON, a.ACTIVITY,
       s.ENTRY + CAST(CASE WHEN s.N_SESSIONS > 1 THEN FLOOR(n.N * s.SPAN_DAYS / (s.N_SESSIONS - 1)) ELSE 0 END AS INTEGER)
  FROM ${own}STAYS s
  JOIN ${own}ACTIVITIES a ON a.CODE_SYSTEM = 'GHM' AND a.CODE = s.GHM
  JOIN ${own}NUMBERS n ON n.N < s.N_SESSIONS
UNION ALL
SELECT d.AA, d.ETA_NUM, d.RSA_NUM, d.PERSON, a.ACTIVITY, d.CARE_DAY
  FROM ${own}DIAGNOSES d
  JOIN ${own}ACTIVITIES a ON a.CODE_SYSTEM = 'DP' AND d.DIAGNOSIS LIKE a.CODE || '%'
 WHERE d.IS_PRINCIPAL = 1
UNION ALL
SELECT d.AA, d.ETA_NUM, d.RSA_NUM, d.PERSON, a.ACTIVITY, d.CARE_DAY
  FROM ${own}DIAGNOSES d
  JOIN ${own}ACTIVITIES a ON a.CODE_SYSTEM = 'CIM10' AND d.DIAGNOSIS LIKE a.CODE || '%'
;

-- # 12. One event a person, activity and day
-- What claims and stays tell of one day is one event. Deaths: the first source that tells one, in the order of the definition.

CREATE TABLE ${own}FOUND AS
SELECT l.PERSON, l.ACTIVITY, l.CARE_DAY
  FROM ${own}CODED_LINES l
 WHERE l.CARE_DAY > TO_DATE('1700-01-01', 'YYYY-MM-DD')
 GROUP BY l.PERSON, l.ACTIVITY, l.SOURCE_TABLE, l.CODE, l.CARE_DAY
HAVING SUM(l.QUANTITY) > 0
UNION
SELECT h.PERSON, h.ACTIVITY, h.CARE_DAY
  FROM ${own}HOSPITAL h
 WHERE h.CARE_DAY IS NOT NULL$bare_stays$deaths
;

-- # 13. The cohort
-- A diagnosis, an index event, and what else the definition asks.

CREATE TABLE ${own}OPENED AS
$opened
;

CREATE TABLE ${own}INDEXED AS
SELECT x.PERSON, MIN(x.CARE_DAY) AS INDEX_DAY
  FROM (
$index_days
       ) x$near_diagnosis
 GROUP BY x.PERSON
;

CREATE TABLE ${own}MEMBERS AS
SELECT i.PERSON, i.INDEX_DAY
  FROM ${own}INDEXED i
  JOIN ${own}PEOPLE p ON p.PERSON = i.PERSON
 WHERE EXISTS (SELECT 1 FROM ${own}OPENED o WHERE o.PERSON = i.PERSON AND o.SOURCE_KIND IN ($diagnosis_in))$conditions
;

-- The log: who, what, when; PLACE orders a day as the definition does.
CREATE TABLE ${own}EVENTS AS
SELECT f.PERSON, f.ACTIVITY, w.PHASE, f.CARE_DAY, w.PLACE, f.CARE_DAY - m.INDEX_DAY AS SINCE_INDEX
  FROM ${own}FOUND f
  JOIN ${own}MEMBERS m ON m.PERSON = f.PERSON
  JOIN ${own}WORDS w ON w.ACTIVITY = f.ACTIVITY$lookback
;
