"""`python -m tlsrun` is the `tlsrun` command."""

from tlsrun.cli import main

if __name__ == "__main__":
    main()
