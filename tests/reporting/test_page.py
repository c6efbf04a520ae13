import json
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from countenance.reporting.page import render_report
from countenance.reporting.sheet import kpi_sheet

from .samples import ablation, costs, curves, detection, monitoring, rollout, validation, whole_report
from .small_run import NAMES, assessed, templates

HOSTILE = "</title><script>alert('x')</script> \"&"
NOTHING: dict[str, Any] = {
    "sheet": kpi_sheet({}, {}, {}, {}, {}, names=NAMES),
    "validation": {},
    "ingestion": {},
    "evaluation": {},
    "templates": {},
    "bias": {},
    "distillation_by_group": {},
    "gates": {},
    "releases": {},
    "rollout": {},
    "curves": {},
    "efforts": {},
    "costs": {},
    "ablation": {},
    "methods": {},
    "method_groups": {},
    "search": {},
    "faces": (),
    "monitoring": None,
    "next_commands": (),
}


class Reader(HTMLParser):
    """The texts, ids and tags of a page; tags that close in the wrong order are an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [str(values["id"])] if "id" in values else []
        self.addresses += [str(values[name]) for name in ("href", "xlink:href", "src") if name in values]
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "link", "br", "img"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@cache
def page() -> str:
    return render_report(whole_report())


@cache
def empty_page() -> str:
    return render_report(whole_report(**NOTHING))


def evaluated(**changes: Any) -> str:
    """The page of a run that was evaluated, and no more."""
    return render_report(whole_report(**NOTHING | {"evaluation": assessed()[0]} | changes))


def test_the_page_asks_the_network_for_nothing() -> None:
    reader = Reader(page())
    assert all(address.startswith(("#", "data:image/", "./monitoring.html")) for address in reader.addresses)
    assert "<script" not in page() and "@import" not in page() and "default-src 'none'" in page()
    assert not re.search(r"url\((?!#)", page())


def test_the_page_is_well_formed_and_no_id_is_given_twice() -> None:
    reader = Reader(page())
    assert reader.open == []
    assert [name for name, count in Counter(reader.ids).items() if count > 1] == []
    inner = {address[1:] for address in reader.addresses if address.startswith("#")}
    assert inner <= set(reader.ids)


def test_a_run_without_a_protocol_of_templates_says_why() -> None:
    missing = {"protocol": None, "models": {}, "note": "1 of 9 test people have two photos."}
    text = Reader(evaluated(templates=missing)).text
    assert "Templates of several photos were not measured: 1 of 9 test people have two photos." in text
    assert "Templates, as IJB reports them" not in text


def with_teacher(report: dict[str, Any]) -> str:
    """What the section on templates says where the run has no heading for the teacher, and its report is this one."""
    names = {model: name for model, name in NAMES.items() if model != "teacher"}
    models = templates()["models"] | {"teacher": report}
    text = Reader(evaluated(names=names, templates=templates() | {"models": models})).text
    return text[text.index("Templates, as IJB reports them") :]


def test_a_teacher_that_is_one_of_the_networks_is_told_by_its_role_and_another_one_by_a_row_of_its_own() -> None:
    student = templates()["models"]["student_alone"] | {"model": "teacher"}
    assert f"{NAMES['student_alone']} teacher" in with_teacher(student)
    stranger = with_teacher(student | {"failures": {"samples": 1, "templates": 0, "pairs": 0}})
    assert f"{NAMES['student_alone']} teacher" not in stranger and " teacher " in stranger


def test_the_same_run_gives_the_same_page() -> None:
    assert evaluated() == evaluated()


def test_the_verdict_comes_first() -> None:
    text = Reader(page()).text
    verdict = text.index("v2 AdaDistill is champion. In charge since 21 March 2025")
    assert "in the place of v1 student alone. v3 damaged was rolled back." in text
    assert verdict < text.index("harm to group 'south'") < text.index("KPI sheet Figure")


def test_every_room_is_told() -> None:
    text = Reader(page()).text
    for words in (
        "What distillation gained",
        "Templates, as IJB reports them",
        "What a threshold costs",
        "v2 AdaDistill on templates of teacher",
        "AdaDistill, weighted alpha: 88.0 % 1:1 accuracy against 82.0 % of the student alone",
        "The best is student 2, mobilefacenet on 64 x 64 pixels, width 0.75, blocks 4-6-2: TAR 83.0 %",
        "The worst group, shown to be no worse in false non-matches",
        "1 more group has too few people to be shown.",
        "Of one training each: what another seed would give is not in these intervals.",
        "Were the threshold",
        "below 1 in 6,900 non-mated comparisons",
        "not labelled",
        "not shown: too few people",
        "No harm was shown in shadow",
        "faces are not too blurred to recognise",
        "3 of 180 faces",
        "drifted luminance",
        "All test faces come from one source, embedded",
        "A box is accepted from a face probability of 0.412",
        "Learning together is shown to help landmarks, and to harm age. Not told apart: gender.",
        "1.26 million parameters",
        "2 of 4 pairs of tasks pull against each other on average",
        "2.1 %",
        "make serve",
        "face 2",
    ):
        assert words in text, words


def test_what_was_put_aside_at_ingestion_is_told_with_its_reasons() -> None:
    text = Reader(page()).text
    assert "3 records were put aside and not imported: photo does not decode 2, box without size 1." in text
    assert "quarantined" not in text


def test_nothing_missing_shows_as_a_programmer_would_see_it() -> None:
    for text in (Reader(page()).text, Reader(empty_page()).text):
        assert not re.search(r"\b(None|NaN|nan|null|inf|Undefined)\b", text)


def test_a_report_without_anything_says_so_in_words() -> None:
    text = Reader(empty_page()).text
    for words in (
        "No rollout was run.",
        "the evaluation was not run",
        "the bias room was not run",
        "What distillation does to each group was not measured",
        "No gate was run.",
        "No training curves were recorded.",
        "What learning together does to accuracy was not measured: kedro run --pipelines ablation",
        "Ways to distil were not compared: kedro run --pipelines method_comparison",
        "Students of other sizes were not tried: kedro run --pipelines student_search",
        "The data was not validated.",
        "No faces are shown.",
        "Monitoring was not run.",
        "Nothing is left to run.",
    ):
        assert words in text, words


def test_a_section_without_anything_to_say_is_not_there_and_not_in_the_list_of_sections() -> None:
    whole, empty = Reader(page()), Reader(empty_page())
    for section in ("sources", "detection", "interference", "compatibility"):
        assert section in whole.ids and f"#{section}" in whole.addresses
        assert section not in empty.ids and f"#{section}" not in empty.addresses


def test_what_seven_networks_cost_is_told_without_an_ablation_too() -> None:
    text = Reader(render_report(whole_report(**NOTHING | {"costs": costs()}))).text
    assert "Seven networks of one task each 5.60 million 4.43 times 350.0 million 5.74 times" in text
    assert "was not measured: kedro run --pipelines ablation" in text


@pytest.mark.parametrize("present", list(NOTHING))
def test_any_part_may_stand_alone(present: str) -> None:
    others = {name: value for name, value in NOTHING.items() if name != present}
    reader = Reader(render_report(whole_report(**others)))
    assert reader.open == [] and not re.search(r"\b(None|nan|Undefined)\b", reader.text)


def test_models_without_a_name_are_not_shown() -> None:
    text = Reader(evaluated(names={"student_alone": "v1"})).text
    assert "Face to face: TAR by FAR Model FAR 0.0001 FAR 0.01 FAR 0.1 v1 not measurable" in text


def test_hostile_strings_stay_text() -> None:
    played = json.loads(json.dumps(rollout()).replace("south", "so<script>uth"))
    played["entries"][2] |= {"story": None, "skipped": HOSTILE}
    names = dict.fromkeys(NAMES, "") | {model: f"{name} {HOSTILE}" for model, name in NAMES.items()}
    evaluation, bias, _ = assessed()
    findings = validation()
    findings["findings"][1]["why"] = HOSTILE
    drift = monitoring()
    drift["columns"][0]["column"] = HOSTILE
    drift["report"] = "javascript:alert(1)"
    told, found = ablation(), detection()
    told["tasks"]["identity"]["note"] = HOSTILE
    found["sources"] = {HOSTILE: found["sources"]["lfw"]}
    hostile = render_report(
        whole_report(
            title=HOSTILE,
            names=names,
            sheet=kpi_sheet(evaluation, bias, {}, {}, played, names=names),
            rollout=played,
            evaluation=evaluation | {"detection": found},
            ablation=told,
            validation=findings,
            monitoring=drift,
            curves={"student_alone": curves(False)},
            next_commands=((HOSTILE, HOSTILE),),
        )
    )
    assert "<script" not in hostile and hostile.count("</title>") == 1
    reader = Reader(hostile)
    assert reader.text.count("alert('x')") >= 11
    assert not any(address.startswith("javascript") for address in reader.addresses)


def test_no_path_of_a_machine_is_on_the_page() -> None:
    assert "/somewhere/on/a/machine" not in page() and "/tmp" not in page()


def test_nothing_of_a_group_that_is_too_small_is_on_the_page() -> None:
    _, bias, _ = assessed()
    means = bias["student_distilled"]["means"]["age by skin_tone"]
    assert means and "unusual" not in means
    assert not re.search(r"unusual \d", Reader(page()).text)


def test_the_wide_tables_and_plots_scroll_inside() -> None:
    outside = re.sub(r'<div class="scroll".*?</div>|<div class="faces">.*?</div>', "", page(), flags=re.DOTALL)
    assert "<table" not in outside and "<svg" not in outside
