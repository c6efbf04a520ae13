import numpy as np

from countenance.data.identity_facts import identity_facts

# Two directions a person, worked by hand: (1, 0) and (0.8, 0.6) have a cosine of 0.8.
EAST, NEAR_EAST, NORTH, NEAR_NORTH = (1, 0, 0), (0.8, 0.6, 0), (0, 0, 1), (0, 0.6, 0.8)


def facts(*faces: tuple, subjects: list[int], scale: float = 3.0):
    return identity_facts(np.array(faces, dtype=np.float32) * scale, np.array(subjects), same_person=0.5)


def test_the_likeness_to_ones_own_name_is_that_of_the_nearest_other_face():
    found = facts(EAST, NEAR_EAST, NORTH, subjects=[0, 0, 0])
    np.testing.assert_allclose(found["likeness_to_own_name"], [0.8, 0.8, 0.0], atol=1e-6)


def test_two_pairs_of_faces_that_are_not_tied_are_two_people():
    found = facts(EAST, NEAR_EAST, NORTH, NEAR_NORTH, subjects=[0, 0, 0, 0])
    assert found["people_under_name"].tolist() == [2, 2, 2, 2]
    assert facts(EAST, NEAR_EAST, NORTH, subjects=[0, 0, 0])["people_under_name"].tolist() == [1, 1, 1]


def test_the_nearest_other_name_is_that_of_the_means():
    found = facts(EAST, EAST, NEAR_EAST, NORTH, subjects=[0, 0, 1, 2])
    np.testing.assert_allclose(found["likeness_to_other_name"], [0.8, 0.8, 0.8, 0.0], atol=1e-6)
    assert found["other_name"].tolist()[:3] == [2, 2, 0]


def test_faces_without_a_name_or_an_embedding_are_not_judged():
    found = facts(EAST, (np.nan,) * 3, (0, 0, 0), NORTH, subjects=[0, 0, 0, -1])
    judged = ["likeness_to_own_name", "people_under_name", "likeness_to_other_name", "other_name"]
    assert found[judged].isna().all(axis=None)
    assert found["embedding_norm"].notna().tolist() == [True, False, False, True]


def test_norms_of_embeddings_that_were_scaled_say_nothing():
    assert facts(EAST, NORTH, subjects=[0, 1], scale=1.0)["embedding_norm"].isna().all()
    assert facts(EAST, NORTH, subjects=[0, 1])["embedding_norm"].tolist() == [3.0, 3.0]
