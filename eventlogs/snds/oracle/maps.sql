-- # 14. Steps from one event to the next
-- By activity; and by phase, a run of one phase being written once.

CREATE TABLE ${own}ORDERED AS
SELECT 'activity' AS MAP_LEVEL, e.PERSON, e.ACTIVITY AS NODE, e.CARE_DAY, e.SINCE_INDEX,
       ROW_NUMBER() OVER (PARTITION BY e.PERSON ORDER BY e.CARE_DAY, e.PLACE, e.ACTIVITY) AS RANK_NO
  FROM ${own}EVENTS e
;

INSERT INTO ${own}ORDERED (MAP_LEVEL, PERSON, NODE, CARE_DAY, SINCE_INDEX, RANK_NO)
SELECT 'phase', x.PERSON, x.PHASE, x.CARE_DAY, x.SINCE_INDEX, x.RANK_NO
  FROM (
        SELECT e.PERSON, e.PHASE, e.CARE_DAY, e.SINCE_INDEX,
               ROW_NUMBER() OVER (PARTITION BY e.PERSON ORDER BY e.CARE_DAY, e.PLACE, e.ACTIVITY) AS RANK_NO,
               LAG(e.PHASE) OVER (PARTITION BY e.PERSON ORDER BY e.CARE_DAY, e.PLACE, e.ACTIVITY) AS PHASE_BEFORE
          FROM ${own}EVENTS e
       ) x
 WHERE x.PHASE_BEFORE IS NULL OR x.PHASE_BEFORE <> x.PHASE
;

CREATE TABLE ${own}STEPS AS
SELECT x.MAP_LEVEL, x.PERSON, x.NODE AS STEP_FROM, NVL(x.NEXT_NODE, '(end)') AS STEP_TO, x.NEXT_DAY - x.CARE_DAY AS DAYS
  FROM (
        SELECT o.MAP_LEVEL, o.PERSON, o.NODE, o.CARE_DAY,
               LEAD(o.NODE) OVER (PARTITION BY o.MAP_LEVEL, o.PERSON ORDER BY o.RANK_NO) AS NEXT_NODE,
               LEAD(o.CARE_DAY) OVER (PARTITION BY o.MAP_LEVEL, o.PERSON ORDER BY o.RANK_NO) AS NEXT_DAY
          FROM ${own}ORDERED o
       ) x
;

INSERT INTO ${own}STEPS (MAP_LEVEL, PERSON, STEP_FROM, STEP_TO, DAYS)
SELECT x.MAP_LEVEL, x.PERSON, '(start)', x.NODE, NULL
  FROM (
        SELECT o.MAP_LEVEL, o.PERSON, o.NODE,
               ROW_NUMBER() OVER (PARTITION BY o.MAP_LEVEL, o.PERSON ORDER BY o.RANK_NO) AS N
          FROM ${own}ORDERED o
       ) x
 WHERE x.N = 1
;

-- Exact counts of each step, small ones too: this table stays in the environment.
CREATE TABLE ${own}EDGES AS
SELECT s.MAP_LEVEL, s.STEP_FROM, s.STEP_TO, COUNT(*) AS N_EVENTS, COUNT(DISTINCT s.PERSON) AS N_PATIENTS,
       MEDIAN(s.DAYS) AS MEDIAN_DAYS
  FROM ${own}STEPS s
 GROUP BY s.MAP_LEVEL, s.STEP_FROM, s.STEP_TO
;

-- How many patients have a delay up to the median, and from it on: a median is said where both are enough.
CREATE TABLE ${own}SIDES AS
SELECT s.MAP_LEVEL, s.STEP_FROM, s.STEP_TO,
       COUNT(DISTINCT CASE WHEN s.DAYS <= e.MEDIAN_DAYS THEN s.PERSON END) AS N_BELOW,
       COUNT(DISTINCT CASE WHEN s.DAYS >= e.MEDIAN_DAYS THEN s.PERSON END) AS N_ABOVE
  FROM ${own}STEPS s
  JOIN ${own}EDGES e ON e.MAP_LEVEL = s.MAP_LEVEL AND e.STEP_FROM = s.STEP_FROM AND e.STEP_TO = s.STEP_TO
 GROUP BY s.MAP_LEVEL, s.STEP_FROM, s.STEP_TO
;

-- # 15. What may leave
-- Only these tables leave the environment. Each count is of at least $threshold patients, and rounded to a multiple of
-- $threshold: the exact number stays unknown by $threshold values, and a difference of two of them by more. No total is
-- exact, nothing is pooled, medians are of at least $twice patients with $threshold on each side, in whole days.

CREATE TABLE ${own}OUT_EDGES AS
SELECT e.MAP_LEVEL, e.STEP_FROM, e.STEP_TO,
       ROUND(e.N_EVENTS / $threshold) * $threshold AS N_EVENTS,
       ROUND(e.N_PATIENTS / $threshold) * $threshold AS N_PATIENTS,
       CASE WHEN e.N_PATIENTS >= $twice AND x.N_BELOW >= $threshold AND x.N_ABOVE >= $threshold
            THEN ROUND(e.MEDIAN_DAYS) END AS MEDIAN_DAYS
  FROM ${own}EDGES e
  JOIN ${own}SIDES x ON x.MAP_LEVEL = e.MAP_LEVEL AND x.STEP_FROM = e.STEP_FROM AND x.STEP_TO = e.STEP_TO
 WHERE e.N_PATIENTS >= $threshold
;

CREATE TABLE ${own}OUT_NODES AS
SELECT x.MAP_LEVEL, x.NODE, ROUND(COUNT(*) / $threshold) * $threshold AS N_PATIENTS,
       CASE WHEN COUNT(*) >= $twice THEN ROUND(MEDIAN(x.FIRST_DAY)) END AS MEDIAN_DAY
  FROM (
        SELECT o.MAP_LEVEL, o.NODE, o.PERSON, MIN(o.SINCE_INDEX) AS FIRST_DAY
          FROM ${own}ORDERED o
         GROUP BY o.MAP_LEVEL, o.NODE, o.PERSON
       ) x
 GROUP BY x.MAP_LEVEL, x.NODE
HAVING COUNT(*) >= $threshold
;

-- Sequences of milestones, one letter a phase in the order of the definition, runs written once.
CREATE TABLE ${own}OUT_VARIANTS AS
SELECT y.SEQUENCE_LETTERS, ROUND(COUNT(*) / $threshold) * $threshold AS N_PATIENTS,
       CASE WHEN COUNT(*) >= $twice THEN ROUND(MEDIAN(y.DAYS)) END AS MEDIAN_DAYS
  FROM (
        SELECT x.PERSON, LISTAGG(x.LETTER, '') WITHIN GROUP (ORDER BY x.RANK_NO) AS SEQUENCE_LETTERS,
               MAX(x.CARE_DAY) - MIN(x.CARE_DAY) AS DAYS
          FROM (
                SELECT m.PERSON, m.LETTER, m.CARE_DAY, m.RANK_NO,
                       LAG(m.LETTER) OVER (PARTITION BY m.PERSON ORDER BY m.RANK_NO) AS LETTER_BEFORE
                  FROM (
                        SELECT e.PERSON, w.LETTER, e.CARE_DAY,
                               ROW_NUMBER() OVER (PARTITION BY e.PERSON ORDER BY e.CARE_DAY, e.PLACE, e.ACTIVITY) AS RANK_NO
                          FROM ${own}EVENTS e
                          JOIN ${own}WORDS w ON w.ACTIVITY = e.ACTIVITY
                         WHERE w.LETTER IS NOT NULL
                       ) m
               ) x
         WHERE x.LETTER_BEFORE IS NULL OR x.LETTER_BEFORE <> x.LETTER
         GROUP BY x.PERSON
       ) y
 GROUP BY y.SEQUENCE_LETTERS
HAVING COUNT(*) >= $threshold
;

-- The whole in one row; nothing where there are fewer than $threshold patients.
CREATE TABLE ${own}OUT_SUMMARY AS
SELECT '$pathway_id' AS PATHWAY_ID, '$pathway_version' AS PATHWAY_VERSION, '$sha256' AS SHA256,
       $first_year AS FIRST_YEAR, $last_year AS LAST_YEAR, $threshold AS THRESHOLD,
       ROUND(COUNT(DISTINCT e.PERSON) / $threshold) * $threshold AS N_PATIENTS, ROUND(COUNT(*) / 100) * 100 AS N_EVENTS
  FROM ${own}EVENTS e
HAVING COUNT(DISTINCT e.PERSON) >= $threshold
;
