import os
import signal
import threading
import time

import pytest

from scpertbias._cli.signals import StopSignal, stoppable


def test_sigterm_unwinds_and_the_earlier_handler_comes_back():
    before, cleaned = signal.getsignal(signal.SIGTERM), []

    def work():
        with stoppable():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                cleaned.append(True)

    with pytest.raises(StopSignal) as stopped:
        work()
    assert stopped.value.signal == signal.SIGTERM
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_may_not_set_handlers_and_go_on():
    done = []

    def work():
        with stoppable():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
