"""``python -m varprop.cli``: the command line where the script is not on the path."""

from varprop.cli import main

if __name__ == "__main__":
    main()
