"""Tables that commands print."""
import re


def rows(text):
    """The cells of each line; two blanks or more separate them."""
    return [re.split(r"\s{2,}", line) for line in text.splitlines()]
