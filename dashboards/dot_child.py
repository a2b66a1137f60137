"""Lay out one graph: DOT on standard input, Graphviz's JSON on standard output. Run by ``layout`` as a child."""

import sys
import warnings

import pygraphviz


def main() -> None:
    """Read, lay out, write."""
    warnings.simplefilter("ignore")
    graph = pygraphviz.AGraph(string=sys.stdin.read())
    sys.stdout.buffer.write(graph.draw(format="json0", prog="dot"))


if __name__ == "__main__":
    main()
