import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.deploy.drivers import feetech_protocol as protocol
from sim2real.deploy.drivers.feetech_protocol import Instruction, Status, StatusParser
from sim2real.errors import LinkError

WORDS = st.lists(st.binary(max_size=40), max_size=6)


def answer(servo, fault, data):
    body = bytes((servo, len(data) + 2, fault)) + data
    return b"\xff\xff" + body + bytes((~sum(body) & 255,))


ANSWERS = st.builds(Status, st.integers(0, 253), st.integers(0, 255), st.binary(max_size=60))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [  # worked examples of Feetech's protocol manual
        (protocol.instruction(1, Instruction.PING), "FF FF 01 02 01 FB"),
        (protocol.read(1, 0x38, 2), "FF FF 01 04 02 38 02 BE"),
        (protocol.sync_read((1, 2), 0x38, 8), "FF FF FE 06 82 38 08 01 02 36"),
    ],
)
def test_packets_are_those_of_the_manual(packet, expected):
    assert packet == bytes.fromhex(expected)


def test_goals_of_several_servos_stand_in_one_packet():
    packet = protocol.sync_write(protocol.GOAL_POSITION, {1: 2048, 2: -1})
    assert packet[:-1] == bytes.fromhex("FF FF FE 0A 83 2A 02 01 00 08 02 01 80")


@given(st.integers(-32767, 32767))
def test_a_signed_number_is_read_as_it_was_written(value):
    register = protocol.GOAL_POSITION
    assert register.decode(register.encode(value)) == value


@pytest.mark.parametrize("value", [-1, 256])
def test_a_number_that_does_not_fit_is_refused(value):
    with pytest.raises(LinkError, match="does not fit"):
        protocol.TORQUE_ENABLE.encode(value)


@given(st.lists(ANSWERS, max_size=5), st.integers(1, 30))
def test_answers_are_found_however_the_stream_is_cut(answers, size):
    stream = b"".join(answer(each.servo, each.fault, each.data) for each in answers)
    parser, found = StatusParser(), []
    for start in range(0, len(stream), size):
        found += parser.feed(stream[start : start + size])
    assert found == answers


@given(WORDS, ANSWERS)
def test_noise_never_hides_the_answer_that_follows_a_pause(noise, status):
    parser = StatusParser()
    for data in noise:
        parser.feed(data)
    parser.clear()
    assert parser.feed(answer(status.servo, status.fault, status.data)) == [status]


@given(ANSWERS, st.data())
def test_a_flipped_bit_is_never_taken_for_an_answer(status, data):
    packet = bytearray(answer(status.servo, status.fault, status.data))
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    packet[bit // 8] ^= 1 << bit % 8
    assert status not in StatusParser().feed(bytes(packet))


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_memory_is_bounded_whatever_comes(chunks):
    parser = StatusParser()
    for chunk in chunks:
        for status in parser.feed(chunk):
            assert len(status.data) <= 253
        assert len(parser._buffer) <= 259
