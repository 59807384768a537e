import re
from xml.etree import ElementTree

from tests.bench import page, report
from tests.bench.measures import MEASURES, Outcome
from tests.bench.options import Options
from tests.bench.test_targets import score


def rendered() -> str:
    measure = MEASURES[0]
    scores = {"atelier": score("<atelier>", 40, 50), "static": score("static", 100, 120)}
    verdicts = [target.judge(scores) for target in measure.targets]
    results = report.as_dict([Outcome(measure, scores, verdicts)], Options())
    return page.render({**results, "began_at": "now"})


def test_page_asks_nobody_for_anything():
    assert not re.search(r"https?:|src=|@import|url\(|<script|<link", rendered())


def test_plots_are_well_formed_and_names_are_escaped():
    html = rendered()
    plots = re.findall(r'<svg class="plot".*?</svg>', html, re.DOTALL)
    # Targets, rates, latencies, CPU.
    assert len(plots) == 4
    for plot in plots:
        ElementTree.fromstring(plot)  # noqa: S314 - drawn here
    assert "<atelier>" not in html
    assert "&lt;atelier&gt;" in html
