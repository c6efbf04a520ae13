"""``python -m countenance`` is the console command."""

import sys

from countenance.commands import main

if __name__ == "__main__":
    sys.exit(main())
