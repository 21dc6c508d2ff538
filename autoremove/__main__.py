"""`python -m autoremove`."""

from autoremove.cli import main

if __name__ == "__main__":
    main()
