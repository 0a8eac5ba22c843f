"""The one exception that means: the user's input, settings or environment must change."""


class BadInput(Exception):
    """Bad input, settings or environment.

    The message is shown as it is, without a traceback, and the script ends with status 2. It says where
    (file:line, field or id), what is wrong, and what to do.
    """
