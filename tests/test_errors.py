"""Errors tell what is wrong and what to do, have the exit codes that are promised, and cross processes."""

from __future__ import annotations

import pickle

import pytest

from autoremove import errors

CODES = {
    errors.AutoremoveError: 1,
    errors.PictureError: 1,
    errors.ReviewNeeded: 1,
    errors.UsageError: 2,
    errors.RecipeError: 2,
    errors.DeviceError: 2,
    errors.WeightsError: 3,
    errors.InputError: 4,
    errors.OutputError: 4,
}


def test_each_error_has_its_exit_code() -> None:
    ours = {kind for kind in vars(errors).values() if isinstance(kind, type)} - {errors.BrokenArtefact}
    assert ours == set(CODES)
    for kind, code in CODES.items():
        assert kind("what").exit_code == code
    assert (errors.EXIT_OK, errors.EXIT_INTERRUPTED) == (0, 130)


@pytest.mark.parametrize("kind", list(CODES))
def test_message_and_hint_survive_a_pickle(kind: type[errors.AutoremoveError]) -> None:
    error = pickle.loads(pickle.dumps(kind("What went wrong.", hint="What to do.")))
    assert type(error) is kind
    assert (error.message, error.hint) == ("What went wrong.", "What to do.")
    assert str(error) == "What went wrong. What to do."


def test_without_a_hint_there_is_only_the_message() -> None:
    assert str(errors.UsageError("What went wrong.")) == "What went wrong."


def test_a_broken_artefact_is_not_the_users_to_put_right() -> None:
    assert not issubclass(errors.BrokenArtefact, errors.AutoremoveError)
    assert "x.npz" in str(errors.BrokenArtefact("x.npz"))
