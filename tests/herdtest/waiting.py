"""Waiting for a condition with a deadline, instead of sleeping for luck."""
import time


def wait_for(what, condition, deadline=60.0, every=0.05):
    """Returns the first true value of condition(); fails with `what` and the last value after `deadline` seconds."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            last = repr(error)
        else:
            if last:
                return last
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s in vain for: {what}; last seen: {last!r}")
        time.sleep(every)
