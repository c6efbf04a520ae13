"""Our step of distillation and the published one: the same training, at another speed."""

from contextlib import closing

import pytest
import torch

from countenance.learning import distillation_speed
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.distillation_speed import DistillationSize, OurStep, differences
from countenance.learning.published_distillation import PublishedHeader, PublishedStep
from countenance.network.costs import count_parameters
from countenance.network.margin import MarginConfiguration

SMALL = DistillationSize(batch_size=4, classes=50, input_size=32, teacher="iresnet18")


def test_the_student_has_the_published_number_of_weights():
    assert count_parameters(DistillationSize().student_network()) == 1_199_488


def test_no_two_rows_of_a_batch_share_a_class():
    for labels in SMALL.labels():
        assert len(labels.unique()) == SMALL.batch_size


def test_the_published_header_worked_by_hand():
    # One class has the centre (1, 0), the other (0, 1). Teacher and student both say (.6, .8) of a face of the first:
    # alpha = 1 * .6, the centre becomes .6 (1, 0) + .4 (.6, .8) = (.84, .32), and its cosine to the student is
    # (.504 + .256) / |(.84, .32)| = .760 / .8989; without a margin the loss is log(1 + exp(.8 - .8455)).
    margin = MarginConfiguration(margin=0.0, scale=1.0)
    header = PublishedHeader(2, 2, margin, torch.Generator().manual_seed(0))
    with torch.no_grad():
        header.centres.copy_(torch.eye(2))
    face = torch.tensor([[0.6, 0.8]])
    loss = header(face, torch.tensor([0]), face)
    torch.testing.assert_close(header.centres.detach()[:, 0], torch.tensor([0.84, 0.32]))
    assert header.centres.detach()[:, 1].tolist() == [0.0, 1.0]
    assert loss.item() == pytest.approx(0.67066, abs=1e-5)


def test_our_headers_loss_and_gradient_are_the_published_ones():
    loss, gradient = differences(DistillationSize(batch_size=16, classes=3000))
    assert loss < 1e-4
    assert gradient < 1e-3


def test_our_step_learns_what_the_published_one_does():
    size, configuration = SMALL, AdaDistillConfiguration()
    header = PublishedHeader(size.classes, 512, configuration.margin, size.generator())
    published = PublishedStep(size.student_network(), size.teacher_network(), header, learning_rate=0.01)
    teacher = size.teacher_network().eval()
    header = AdaDistillHeader(size.classes, 512, configuration, size.generator())
    generator = torch.Generator().manual_seed(5)
    with closing(OurStep(size.student_network(), header, learning_rate=0.01)) as ours:
        for labels in size.labels():
            images = torch.rand(4, 3, 32, 32, generator=generator) * 2.0 - 1.0
            with torch.inference_mode():
                features = teacher(images).embedding.clone()
            assert ours(images, labels, features) == pytest.approx(published(images, labels), rel=1e-3)
    assert published.header.centres.grad is None


def test_the_ways_can_be_prepared_here_as_well():
    for way in (
        distillation_speed._Published(SMALL),
        distillation_speed._Ours(SMALL, live=False),
        distillation_speed._Header(SMALL, published=True),
        distillation_speed._Header(SMALL, published=False),
    ):
        step = way()
        assert step() > 0.0
