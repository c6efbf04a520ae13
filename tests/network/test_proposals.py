import torch

from countenance.network.proposals import cell_centres, decode_proposals, encode_box


def test_a_cell_that_says_nothing_means_a_face_of_the_reference_size_on_its_centre():
    boxes = decode_proposals(torch.zeros(1, 2, 3, 4), stride=16, offset=0.0, reference_px=32.0)
    assert boxes.shape == (1, 2, 3, 4)
    # The cell in row 1, column 2 lies at (32, 16); its face reaches 16 px to each side.
    assert boxes[0, 1, 2].tolist() == [16.0, 0.0, 32.0, 32.0]


def test_what_a_cell_is_to_say_of_a_box_is_decoded_to_that_box():
    box = torch.tensor([20.0, 10.0, 24.0, 48.0])
    centres = cell_centres(2, 3, stride=16, offset=0.0)
    said = encode_box(box, centres[1, 2], reference_px=32.0)
    # The box's centre is (32, 34): 18 px below the cell's; it is 24/32 as wide and 48/32 as high as the reference.
    torch.testing.assert_close(
        said,
        torch.tensor([0.0, 18 / 32, 0.75, 1.5]).where(
            torch.tensor([1, 1, 0, 0]) > 0, torch.tensor([0.0, 0.0, 0.75, 1.5]).log()
        ),
    )
    every = said.expand(1, 2, 3, 4)
    torch.testing.assert_close(decode_proposals(every, stride=16, offset=0.0, reference_px=32.0)[0, 1, 2], box)


def test_an_untrained_head_never_tells_of_an_endless_face():
    boxes = decode_proposals(torch.full((1, 1, 1, 4), 50.0), stride=16, offset=0.0, reference_px=32.0)
    assert boxes[..., 2:].max() < 8 * 32.0
