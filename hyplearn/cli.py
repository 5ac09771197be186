"""The command line `hyplearn`. Every command lives beside the code that it runs and is imported only when called."""

import argparse
import importlib
import sys

import hyplearn
from hyplearn.errors import BadInput, Failed

# Each module has `add_arguments(parser)` and `run(args) -> int`; its docstring is what `--help` shows.
COMMANDS = {
    "doctor": ("hyplearn.course.commands.doctor", "is this machine ready? each problem with its fix"),
    "lab": ("hyplearn.course.commands.lab", "open the course in JupyterLab"),
    "start": ("hyplearn.course.commands.start", "your own copy of an exercise set"),
    "submit": ("hyplearn.course.commands.submit", "check and pack your copy"),
    "course": ("hyplearn.course.commands.course", "list, build, check and pull the notebooks"),
    "train": ("hyplearn.experiments.command", "train a network"),
    "grade": ("hyplearn.grading.command", "grade a folder of submissions"),
    "embed": ("hyplearn.embeddings.command", "embed a tree or graph in hyperbolic space, and measure it"),
}

DESCRIPTION = """Hyperbolic deep learning: a course, and the library that it is taught from.

examples:
  hyplearn lab                            open the course
  hyplearn start 01_parallel_postulate    begin with the first exercise set
  hyplearn COMMAND --help                 what a command does, with examples
"""


class Parser(argparse.ArgumentParser):
    """Bad arguments end in one line and exit code 2."""

    def __init__(self, **options):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)

    def error(self, message: str):
        raise BadInput(f"{message} (see `{self.prog} --help`)")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The arguments of the one command that is called; no other command is imported."""
    parser = Parser(prog="hyplearn", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"hyplearn {hyplearn.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        if name == called:
            command = importlib.import_module(module)
            subparser = commands.add_parser(name, help=summary, description=command.__doc__)
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
        else:
            commands.add_parser(name, help=summary)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Exit code 0: fine; 1: something failed; 2: bad input, with one line that says which."""
    try:
        args = parse(sys.argv[1:] if arguments is None else arguments)
        return args.run(args)
    except BadInput as error:
        print(f"hyplearn: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"hyplearn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hyplearn: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
