"""`python -m export.cost`: what networks cost before they are trained, as JSON lines."""

from export.cost.worker import main
from train.common.command.cli import run_program

if __name__ == "__main__":
    run_program(main)
