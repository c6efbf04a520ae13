from pathlib import Path

import numpy as np
import pytest

from countenance.assessment.embedding_file import embedding_blocks
from countenance.errors import AssessmentError


@pytest.mark.parametrize("shape", [(10, 3), (10, 2, 3)])
@pytest.mark.parametrize("rows", [1, 4, 10, 99])
def test_blocks_put_together_are_the_file(tmp_path: Path, shape: tuple[int, ...], rows: int):
    embeddings = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "e.npy", embeddings)
    blocks = list(embedding_blocks(tmp_path / "e.npy", rows))
    assert [first for first, _ in blocks] == list(range(0, 10, rows))
    assert np.array_equal(np.concatenate([block for _, block in blocks]), embeddings)


def test_an_empty_file_has_no_blocks(tmp_path: Path):
    np.save(tmp_path / "e.npy", np.empty((0, 4), dtype=np.float32))
    assert list(embedding_blocks(tmp_path / "e.npy")) == []


def test_what_is_no_file_of_embeddings_is_refused_by_name(tmp_path: Path):
    with pytest.raises(AssessmentError, match=r"missing\.npy cannot be read"):
        list(embedding_blocks(tmp_path / "missing.npy"))
    (tmp_path / "text.npy").write_text("1 2 3")
    with pytest.raises(AssessmentError, match=r"text\.npy cannot be read as a \.npy file"):
        list(embedding_blocks(tmp_path / "text.npy"))
    np.save(tmp_path / "flat.npy", np.ones(3))
    with pytest.raises(AssessmentError, match=r"flat\.npy does not hold embeddings"):
        list(embedding_blocks(tmp_path / "flat.npy"))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(AssessmentError, match=r"objects\.npy cannot be read"):
        list(embedding_blocks(tmp_path / "objects.npy"))
    np.savez(tmp_path / "several.npy", one=np.ones((2, 2)))
    (tmp_path / "several.npy.npz").rename(tmp_path / "several.npy")
    with pytest.raises(AssessmentError, match=r"several\.npy"):
        list(embedding_blocks(tmp_path / "several.npy"))
