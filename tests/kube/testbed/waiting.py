"""Waiting for a condition with a deadline."""
import time


def wait_for(what, condition, deadline=60.0, every=0.1, hint=lambda: ""):
    """Returns the first true value of condition(); an OSError or a missing key counts as not yet."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            last = repr(error)
        else:
            if last:
                return last
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline:.0f} s in vain for: {what}; last seen: {last!r} {hint()}".rstrip())
        time.sleep(every)
