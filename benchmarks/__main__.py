"""``python -m benchmarks`` lists the benchmarks; ``--readme`` renews the tables of README.md."""

import argparse

from benchmarks._index import README, index, render_readme


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="renew benchmarks/README.md")
    if parser.parse_args().readme:
        README.write_text(render_readme(README.read_text()))
    else:
        print(index().to_string(index=False))


if __name__ == "__main__":
    main()
