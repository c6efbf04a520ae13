from countenance.process_memory import peak_mebibytes


def test_the_most_memory_held_never_falls():
    first = peak_mebibytes()
    block = bytearray(64 * 2**20)
    second = peak_mebibytes()
    del block
    # The kernel counts pages of each thread in batches, and so a little late.
    assert peak_mebibytes() >= second - 2.0
    assert second >= first > 0.0
