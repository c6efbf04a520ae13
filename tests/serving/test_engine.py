import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from countenance.errors import ModelError
from countenance.learning.views import to_network_input
from countenance.network.export import OUTPUT_NAMES
from countenance.serving.engine import Engine, open_engine
from countenance.serving.release import MODEL_FILE

from .test_release import built


@pytest.fixture(scope="module")
def engine(qualified):
    return Engine(qualified[1])


def views(count, seed=0, size=32):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_engine_says_what_the_network_says_for_any_batch(qualified, engine, count):
    network, _, _ = qualified
    given = views(count, seed=count)
    with torch.inference_mode():
        expected = network(to_network_input(given))
    answered = engine.run(given)
    assert tuple(answered) == OUTPUT_NAMES
    for name in OUTPUT_NAMES[:-1]:
        np.testing.assert_allclose(answered[name], getattr(expected, name).numpy(), atol=1e-4, rtol=1e-4)
    unit = torch.nn.functional.normalize(expected.embedding, dim=1).numpy()
    np.testing.assert_allclose(answered["embedding"], unit, atol=1e-4)


def test_rows_are_answered_in_the_order_given(engine):
    given = views(4)
    straight, turned = engine.run(given), engine.run(given[::-1].copy())
    for name in OUTPUT_NAMES:
        np.testing.assert_allclose(turned[name][::-1], straight[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 64, 64, 3), (2, 32, 32), (2, 3, 32, 32), (32, 32, 3)])
def test_views_of_another_size_are_refused(engine, shape):
    with pytest.raises(ModelError, match="takes views of 32 x 32 x 3, not .*: resize them"):
        engine.run(np.zeros(shape, dtype=np.uint8))


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="does not load: export it again"):
        Engine(b"no model")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("input", ["n", 3, 32, 32]),
        ("images", ["n", 3, "height", "width"]),
        ("images", ["n", 1, 32, 32]),
        ("images", ["n", 3, 32, 64]),
        ("images", ["n", 32]),
    ],
)
def test_a_model_that_takes_another_input_than_a_release_is_refused_when_it_is_loaded(name, shape):
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], ["output"])],
        "other",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    with pytest.raises(ModelError, match=r"takes .*, not images \[n, 3, size, size\]: export it again"):
        Engine(model.SerializeToString())


def test_inference_is_timed_per_image_with_its_spread_in_order(engine):
    time = engine.measure_inference_time(batch_size=2, repetitions=20)
    assert (time.batch_size, time.threads, time.repetitions) == (2, 1, 20)
    assert 0 < time.low_ms <= time.median_ms <= time.high_ms <= time.p99_ms


def test_a_release_unit_is_opened_checked_and_run(qualified, tmp_path):
    release = built(tmp_path / "unit", qualified[1])
    opened, engine = open_engine(tmp_path / "unit", threads=2)
    assert opened == release
    assert engine.input_size == release.input.size
    assert engine.threads == 2
    assert engine.run(views(3))["embedding"].shape == (3, release.embedding_dimension)
    (tmp_path / "unit" / MODEL_FILE).write_bytes(b"another model")
    with pytest.raises(ModelError, match="model.onnx is missing or was changed"):
        open_engine(tmp_path / "unit")
