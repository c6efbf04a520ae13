from countenance.reporting.mitigation_sections import mitigation_plot, mitigation_section

from .mitigation_samples import VALUES, mitigation, seeded


def test_the_first_sentence_says_what_was_found_what_narrows_it_and_at_what_price():
    summary = mitigation_section(mitigation())["summary"]
    assert summary.startswith("As it comes, the worst group by skin tone, darker, has 3.40 (2.72 to 4.08) times the")
    assert "Narrowed by group-balanced sampling to 1.70 (1.36 to 2.04), scores normalised to" in summary
    assert "Shown to be worse than before, with" in summary
    assert "scores normalised: FNMR, worst / geometric mean, worst group's FNMR, FMR of darker" in summary


def test_every_figure_stands_before_and_after_in_one_row_with_what_changed():
    section = mitigation_section(mitigation())
    assert section["titles"] == ["as it comes", "group-balanced sampling", "scores normalised", "both"]
    words, cells = section["rows"][0]
    assert words == "FMR, worst / geometric mean" and len(cells) == len(VALUES)
    assert cells[0]["change"] is None and cells[0]["verdict"] is None
    assert (cells[1]["value"].value, cells[1]["change"].value, cells[1]["verdict"]) == (
        "1.70",
        "-1.70",
        ("better", "good"),
    )
    assert cells[1]["value"].note == "seeds: 1.61, 1.70, 1.78"
    tar = dict(section["rows"])["TAR at the same FMR"]
    assert (tar[1]["value"].value, tar[1]["change"].value, tar[1]["verdict"][0]) == (
        "59.00 %",
        "+3.00 points",
        "not told apart",
    )
    assert dict(section["rows"])["worst group's FNMR"][2]["verdict"] == ("worse", "bad")


def test_gates_are_counted_by_seed_the_worst_first_and_warnings_are_told():
    gates = dict(mitigation_section(mitigation())["gates"])["FMR disparity"]
    assert gates[0] == [("FAIL", "2 of 3 seeds"), ("PASS", "1 of 3 seeds, 1 with a warning")]
    assert gates[1] == [("PASS", "3 of 3 seeds, 1 with a warning")]


def test_who_was_made_rare_is_told_and_where_nobody_was_nothing_is():
    assert (
        "Of 178 training people of the group darker, 9 were left, beside 191 others"
        in mitigation_section(mitigation())["how"]
    )
    assert mitigation_section(mitigation(rare=None))["how"].startswith("Two students of one recipe")


def test_a_figure_that_cannot_be_measured_says_so_in_words_and_in_the_plot():
    report = mitigation()
    for name, found in report["systems"].items():
        found["figures"]["fmr_disparity"] = seeded(None, 0.0, "ratio")
        found["groups"]["lighter"]["fmr"] = seeded(None, 0.0)
        if name != "as it comes":
            found["differences"]["fmr_disparity"] = seeded(None, 0.0, "ratio")
    section = mitigation_section(report)
    assert "could not be measured" in section["summary"]
    assert section["rows"][0][1][1]["value"].value == "not measurable"
    assert mitigation_plot(report) is not None


def test_groups_are_told_apart_without_colour():
    plot = str(mitigation_plot(mitigation()))
    assert "darker" in plot and "lighter" in plot and "group-balanced sampling" in plot
    assert mitigation_plot({}) is None and mitigation_section({}) is None
