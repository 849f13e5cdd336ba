#!/usr/bin/env python
"""Django's command line for Credits."""

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config import embedded
    from config.processes import Problem

    try:
        with embedded.for_a_command():
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, Problem) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
