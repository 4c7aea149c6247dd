import numpy as np
import pytest
from sklearn.feature_selection import f_classif, f_regression

from wsl.attacks import select_queries
from wsl.exceptions import InvalidInputError

N_MODELS, N_QUERIES = 120, 15
RNG = np.random.default_rng(0)
Y = np.arange(N_MODELS) % 3
NUMBERS = RNG.normal(size=N_MODELS)
STRENGTH = RNG.permutation(N_QUERIES) / N_QUERIES


@pytest.mark.parametrize("numeric", [False, True])
def test_the_first_is_the_most_telling_of_the_univariate_test(numeric):
    y = NUMBERS if numeric else Y
    answers = y[:, None] * STRENGTH + RNG.normal(size=(N_MODELS, N_QUERIES))
    statistic = (f_regression if numeric else f_classif)(answers, y)[0]
    assert select_queries(answers, y, 1, numeric=numeric)[0] == statistic.argmax()


def test_relevance_without_redundancy_by_a_loop():
    answers = Y[:, None] * STRENGTH + RNG.normal(size=(N_MODELS, N_QUERIES))
    answers[:, 3] = answers[:, 4] + 0.01 * RNG.normal(size=N_MODELS)
    total = answers.var(axis=0)
    within = np.mean([answers[c == Y].var(axis=0) for c in range(3)], axis=0)
    relevance = (total - within) / within
    correlation = np.corrcoef(answers.T) ** 2
    chosen = []
    for _ in range(N_QUERIES):
        redundancy = correlation[:, chosen].max(axis=1) if chosen else 0
        worth = relevance * (1 - redundancy)
        chosen.append(max(set(range(N_QUERIES)) - set(chosen), key=worth.__getitem__))
    assert select_queries(answers, Y, N_QUERIES).tolist() == chosen


def test_a_query_counts_by_its_most_telling_output():
    answers = RNG.normal(size=(N_MODELS, N_QUERIES, 2))
    answers[:, 7, 1] += 3 * Y
    assert select_queries(answers, Y, 1).tolist() == [7]
    assert select_queries(answers.astype(np.float32), Y.astype(str), 1).tolist() == [7]


def test_answers_that_never_vary_come_last():
    answers = RNG.normal(size=(N_MODELS, 4))
    answers[:, [0, 2]] = [0.1, 5]
    assert set(select_queries(answers, Y, 2)) == {1, 3}
    assert set(select_queries(answers, Y, 4)) == {0, 1, 2, 3}


def test_several_numbers_at_once():
    numbers = RNG.normal(size=(N_MODELS, 2))
    answers = RNG.normal(size=(N_MODELS, 6))
    answers[:, [2, 5]] += 5 * numbers
    assert set(select_queries(answers, numbers, 2, numeric=True)) == {2, 5}


def test_wrong_numbers_are_named():
    with pytest.raises(
        InvalidInputError, match=r"`n_selected_queries` must be between 1 and 4.*got 5"
    ):
        select_queries(np.ones((6, 4)), np.arange(6) % 2, 5)
    with pytest.raises(InvalidInputError, match="`y` must have 6 entries, as responses has; got 5"):
        select_queries(np.ones((6, 4)), np.arange(5) % 2, 2)
