"""The study of transfer between classes."""

from tfrec.studies import transfer


def test_the_transfer_study_gives_every_policy_every_seed_and_its_own_source(tmp_path):
    steps = transfer.steps(transfer.Options(seeds=(0, 7)), [], tmp_path)
    assert len(steps) == len({step.label for step in steps}) == 2 * (2 + len(transfer.POLICIES))
    for seed in ("0", "7"):
        mine = [step for step in steps if step.label.endswith(f"-{seed}")]
        assert {step.row for step in mine} == {None, transfer.BASELINE, *transfer.POLICIES}
        for step in mine:
            assert step.words[step.words.index("--seed") + 1] == seed
            if "--model.weights" in step.words:
                assert step.words[step.words.index("--model.weights") + 1] == str(tmp_path / f"first-five-{seed}")
