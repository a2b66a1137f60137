"""The app as a browser's requests see it, without a browser: every callback, both languages, the guards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import dash
import polars as pl
import pytest
from flask.testing import FlaskClient

from dashboards.app import create_app
from eventlogs.errors import StudyError
from tests.app import fake_study

MAP = {"map:level": "activity", "map:measure": "n_patients", "map:activities": 50, "map:paths": 20}
WHERE = {"where:breakdown": "late_start", "where:measure": "rate", "where:territory": "59"}
EDGE = "breast_biopsy→pathology_exam"


@pytest.fixture(scope="module")
def app(study_path: Path) -> dash.Dash:
    return create_app(study_path)


@pytest.fixture(params=["fr", "en"])
def client(request: pytest.FixtureRequest, app: dash.Dash) -> FlaskClient:
    client = app.server.test_client()
    client.set_cookie("language", request.param)
    return client


def call(client: FlaskClient, output: str, values: dict[str, Any], changed: str) -> Any:
    """Post what Dash's page posts, and return the outputs by component and property."""
    known = json.loads(client.get("/_dash-dependencies").data)
    wanted = next(d for d in known if output in d["output"] and any(changed == id_of(i) for i in d["inputs"]))
    outputs = [
        dict(zip(("id", "property"), part.split("@")[0].rsplit(".", 1), strict=True))
        for part in wanted["output"].strip(".").split("...")
    ]
    asked = {key: [filled(spec, values) for spec in wanted[key]] for key in ("inputs", "state")}
    body = {
        "output": wanted["output"],
        "outputs": outputs if wanted["output"].startswith("..") else outputs[0],
        **asked,
        "changedPropIds": [changed],
    }
    answer = client.post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.status
    return json.loads(answer.data)["response"]


def frame(client: FlaskClient) -> str:
    return json.dumps(json.loads(client.get("/_dash-layout").data), ensure_ascii=False)


def id_of(spec: dict[str, str]) -> str:
    return f"{spec['id']}.{spec['property']}"


def filled(spec: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "value": values.get(spec["id"], values.get(id_of(spec)))}


def page(client: FlaskClient, path: str, search: str = "") -> str:
    values = {"where.pathname": path, "where.search": search}
    return json.dumps(call(client, "page.children", values, "where.pathname"), ensure_ascii=False)


@pytest.mark.parametrize(
    ("path", "french", "english"),
    [
        ("/", "Parcours observés", "Observed pathways"),
        ("/ruptures", "Points de rupture", "Breakdowns"),
        ("/liste", "Il n'y a pas de liste ici", "There is no list here"),
        ("/nothing", "pas de page à cette adresse", "no page at this address"),
    ],
)
def test_each_page_in_each_language(client: FlaskClient, path: str, french: str, english: str) -> None:
    content = page(client, path)
    language = client.get_cookie("language")
    assert language is not None
    assert (french if language.value == "fr" else english) in content


def test_the_document_says_its_language_and_its_study(client: FlaskClient) -> None:
    language = client.get_cookie("language")
    assert language is not None
    assert f'<html lang="{language.value}">' in client.get("/").text
    layout = frame(client)
    assert {"fr": "DONNÉES SYNTHÉTIQUES", "en": "SYNTHETIC DATA"}[language.value] in layout


def test_a_shared_link_brings_the_state_back(client: FlaskClient) -> None:
    content = page(client, "/", f"?level=phase&measure=p90_days&activities=60&selected={EDGE}")
    assert '"value": "phase"' in content and '"value": 60' in content
    assert '"selected": "59"' not in content
    assert '"marked": "59"' in page(client, "/ruptures", "?territory=59")


def test_sliders_change_the_map(client: FlaskClient) -> None:
    few = call(client, "map:selected.svg", MAP, "map:paths.value")["map:selected"]
    many = call(client, "map:selected.svg", MAP | {"map:paths": 60}, "map:paths.value")["map:selected"]
    assert 0 < few["svg"].count('class="edge') < many["svg"].count('class="edge')
    assert few["caption"] != many["caption"]


def test_delays_are_another_map(client: FlaskClient) -> None:
    drawn = call(client, "map:selected.svg", MAP | {"map:measure": "median_days"}, "map:measure.value")
    svg = drawn["map:selected"]["svg"]
    assert 'class="edge delay"' in svg and 'class="edge hidden"' in svg


def test_changing_the_level_moves_the_sliders_to_a_readable_map(client: FlaskClient) -> None:
    answer = call(client, "map:activities.value", MAP | {"map:level": "phase"}, "map:level.value")
    assert answer["map:activities"]["value"] == 100
    assert answer["map:selected"]["chosen"] == ""


@pytest.mark.parametrize("key", [EDGE, "breast_biopsy", "*→*", "", "no→where", "<b>"])
def test_the_panel_of_anything_that_can_be_chosen(client: FlaskClient, key: str) -> None:
    answer = call(client, "map:panel.children", MAP | {"map:selected": key}, "map:selected.chosen")
    assert answer["map:selected"]["marked"] == key
    assert answer["map:split"]["className"] == ("split is-open" if key else "split")
    if key == EDGE:
        assert "Graph" in json.dumps(answer)


def test_the_downloads(client: FlaskClient) -> None:
    csv = call(client, "map:file.data", MAP | {"map:csv": 1}, "map:csv.n_clicks")["map:file"]["data"]
    svg = call(client, "map:file.data", MAP | {"map:svg": 1}, "map:svg.n_clicks")["map:file"]["data"]
    variants = call(client, "map:variants-file.data", {"map:variants-csv": 1}, "map:variants-csv.n_clicks")
    assert " → " in variants["map:variants-file"]["data"]["content"]
    places = call(client, "where:file.data", WHERE | {"where:csv": 1}, "where:csv.n_clicks")["where:file"][
        "data"
    ]
    assert csv["filename"].endswith(".csv") and csv["content"].startswith("\ufeff")
    assert (
        svg["content"].startswith("<svg") and "<style>" in svg["content"] and "3f9c2ab17d40" in svg["content"]
    )
    assert places["content"].count("\n") == 102


def test_a_breakdown_redraws_map_table_and_definition(client: FlaskClient) -> None:
    answer = call(client, "where:map.svg", WHERE, "where:breakdown.value")
    assert answer["where:map"]["svg"].count('class="territory') == 101 + 1
    assert len(answer["where:grid"]["rowData"]) == 101
    assert "EUSOMA" in json.dumps(answer["where:definition"])


def test_a_territory_is_marked_everywhere(client: FlaskClient) -> None:
    answer = call(client, "where:funnel.figure", WHERE, "where:territory.value")
    assert answer["where:map"]["marked"] == "59"
    assert answer["where:grid"]["selectedRows"] == {"ids": ["59"]}
    assert "Nord" in json.dumps(answer["where:chosen"])


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("where:map.chosen", "59"),
        ("where:funnel.clickData", {"points": [{"customdata": "59"}]}),
        ("where:grid.cellClicked", {"rowId": "59"}),
    ],
)
def test_a_territory_is_chosen_from_anywhere(client: FlaskClient, changed: str, value: Any) -> None:
    answer = call(client, "where:territory.value", {changed: value}, changed)
    assert answer["where:territory"]["value"] == "59"


def test_the_list_is_closed_on_snds_even_when_asked_for(study_path: Path) -> None:
    client = create_app(study_path, risk_list=True).server.test_client()
    assert "list:grid" not in page(client, "/liste")
    assert '"/liste"' not in frame(client)


def test_the_list_is_closed_on_a_network_unless_asked_for(network_path: Path) -> None:
    client = create_app(network_path).server.test_client()
    assert "list:grid" not in page(client, "/liste")


def test_the_list_opens_on_a_network_when_asked_for(network_path: Path) -> None:
    client = create_app(network_path, risk_list=True).server.test_client()
    content = page(client, "/liste")
    assert content.count('"patient_id"') == 25 + 1
    assert "une personne décide" in content
    assert '"/liste"' in frame(client)


def test_patients_are_on_no_other_page(network_path: Path) -> None:
    client = create_app(network_path, risk_list=True).server.test_client()
    listed = set(re.findall(r'"patient_id": "(P\d+)"', page(client, "/liste")))
    others = page(client, "/") + page(client, "/ruptures") + frame(client)
    assert listed and not any(patient in others for patient in listed)


def test_two_apps_share_nothing(study_path: Path, network_path: Path) -> None:
    one, other = create_app(study_path), create_app(network_path, risk_list=True)
    assert "list:grid" not in page(one.server.test_client(), "/liste")
    assert "list:grid" in page(other.server.test_client(), "/liste")


def test_the_app_opens_released_tables_only(study_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def recorded(name: str) -> Any:
        read = getattr(pl, name)
        return lambda source, *args, **kwargs: (opened.append(str(source)), read(source, *args, **kwargs))[1]

    for name in ("read_parquet", "scan_parquet", "read_csv", "scan_csv", "read_ipc", "read_json"):
        monkeypatch.setattr(pl, name, recorded(name))
    client = create_app(study_path).server.test_client()
    page(client, "/"), page(client, "/ruptures"), page(client, "/liste")
    assert opened and {Path(path).parent for path in opened} == {study_path / "released"}


def test_every_answer_is_guarded(client: FlaskClient) -> None:
    for path in ("/", "/_dash-layout", "/assets/style.css"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe-eval" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_name_for_this_machine_is_refused(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_no_tool_of_dash_is_left_open(client: FlaskClient) -> None:
    assert client.get("/_mcp").status_code == 404 or "<html" in client.get("/_mcp").text
    assert "dash-debug-menu" not in client.get("/").text


def test_answers_are_compressed(client: FlaskClient) -> None:
    answer = client.get("/_dash-layout", headers={"Accept-Encoding": "gzip"})
    assert answer.headers.get("Content-Encoding") == "gzip"


def test_a_study_that_was_not_mined_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder = fake_study.build(tmp_path / "study", patients=60)
    (folder / "released" / "edges.parquet").unlink()
    with pytest.raises(StudyError, match=r"no released table edges; run 'pathways mine"):
        create_app(folder)
