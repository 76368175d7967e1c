import warnings

import pytest

from varprop.study.errors import FewNetworksWarning, StudyError
from varprop.study.filling import run_study
from varprop.study.planning import labels_of, plan_study
from varprop.study.standing import too_few

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

CLAIM = """
[network]
widths = "16x5"
activation = "relu"
weights = ["he_normal"]
[[claims]]
id = "forward"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = {margin}
{more}
""".replace('["he_normal"]', '"he_normal"')


@pytest.fixture
def study(parse):
    def study(*, margin=0.5, more=""):
        return parse(CLAIM.format(margin=margin, more=more))

    return study


def test_a_plan_says_networks_time_and_disk(study):
    plan = plan_study(study(), workers=2)
    (cost,) = plan.costs
    assert plan.to_frame()["claim"].tolist() == ["forward"]
    assert plan.networks >= plan.claims["n_first"].max()  # what to write before the first look, rounded up
    assert plan.on_ladder == plan.claims["n_required"].max()
    assert plan.on_ladder in {40 * 4**k for k in range(12)}
    assert cost.seconds > 0.0
    assert plan.seconds(1000) == pytest.approx(1000 * cost.seconds / 2)
    # Fourteen quantities of a few layers, eight bytes each before compression.
    assert 100 < plan.bytes(1) < 10_000


@pytest.mark.false_alarm(1e-9)
def test_too_small_a_study_is_named(study):
    plan = plan_study(study(margin=0.05))
    assert plan.networks > plan.study.networks == 40
    assert labels_of(plan.undecided) == ["forward (relu, he_normal, preactivation_second_moment)"]
    assert plan.undecidable.empty


def test_a_large_enough_study_lacks_nothing(study):
    plan = plan_study(study(margin=30.0))
    assert plan.undecided.empty


def test_only_expected_claims_that_nothing_decides_count(study):
    """A plan in which no number decides: of concern only where the author expects a verdict."""
    for more, count in (("", 0), ('expect = "supported"', 1)):
        plan = plan_study(study(margin=30.0, more=more))
        for column in ("n_required", "n_first"):
            plan.claims[column] = plan.claims[column].mask(plan.claims[column] > 0)
        assert (len(plan.undecided), len(plan.undecidable), plan.networks) == (count, 1, None)


@pytest.mark.false_alarm(1e-8)
def test_a_plan_does_not_touch_the_run(study, tmp_path):
    """The pilot is no part of it, in files or in draws."""
    wanted = study()
    plan_study(wanted, tmp_path)
    assert list(tmp_path.iterdir()) == []
    run = run_study(wanted, tmp_path)
    label = "relu, he_normal"
    values = run.simulations()[label].values("preactivation_second_moment")
    pilot = plan_study(wanted, pilot=40).claims["estimate"].iloc[0]
    ours = plan_study(wanted, tmp_path).claims
    assert ours["pilot"].iloc[0] == len(values) == 40
    assert ours["estimate"].iloc[0] != pytest.approx(pilot, rel=1e-9)


def test_a_plan_needs_claims_and_a_pilot(parse, study):
    with pytest.raises(StudyError, match="none to plan for"):
        plan_study(parse())
    with pytest.raises(ValueError, match="2 networks or more"):
        plan_study(study(), pilot=1)


def test_what_cannot_be_tested_is_said(parse):
    tables = (
        CLAIM.format(margin=0.1, more="")
        .replace("he_normal", "he_uniform")
        .replace('theory = "he"\ntest = "cumulative_mean"', 'test = "exact_law"')
    )
    with pytest.raises(StudyError, match="forward"):
        plan_study(parse(tables))


def test_the_warning_before_a_run_is_arithmetic(study):
    assert too_few(study(margin=30.0)) == ""
    warning = too_few(study(margin=0.05))
    assert "40 networks are too few" in warning
    assert "forward" in warning
    assert too_few(study(margin=0.05), 10**6) == ""
    assert too_few(study(margin=0.05, more='expect = "refuted"')) == ""


def test_a_run_that_cannot_decide_says_so_before_it_samples(study, tmp_path):
    seen = []

    def stop(progress):
        seen.append(progress)
        raise KeyboardInterrupt

    with pytest.warns(FewNetworksWarning, match="40 networks are too few"), pytest.raises(KeyboardInterrupt):
        run_study(study(margin=0.05), tmp_path, "serial", stop)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_study(study(margin=30.0), tmp_path, "serial")
