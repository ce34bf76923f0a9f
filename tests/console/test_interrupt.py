import os
import signal
import threading
import time

import pytest

from mtbert.console.interrupt import watch_interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops_at_once(number):
    with watch_interruption() as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_what_follows_within_the_echo_is_the_first_signal_again(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with watch_interruption(echo=2.0) as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        now += 1.9
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested
        now += 0.1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_put_back_whatever_happens():
    watched = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in watched]
    with pytest.raises(ZeroDivisionError), watch_interruption():
        assert signal.getsignal(signal.SIGINT) != before[0]
        _ = 1 / 0
    assert [signal.getsignal(number) for number in watched] == before


def test_outside_the_main_thread_nothing_is_watched():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with watch_interruption() as interruption:
            seen.append((interruption.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
