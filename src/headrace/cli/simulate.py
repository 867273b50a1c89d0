"""``headrace simulate``: thousands of histories of delivery, each from a seed, judged by an oracle."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from headrace.testkit.simulation import Verdict, simulate

app = typer.Typer(add_completion=False)


@app.command()
def run(
    seeds: Annotated[int, typer.Option(help="How many histories.", min=1)] = 1000,
    first: Annotated[int, typer.Option("--from", help="The seed of the first.", min=0)] = 0,
    seed: Annotated[int | None, typer.Option(help="The history of this seed alone.", min=0, show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell everything that happens.")] = False,
) -> None:
    """
    Live through histories in which everything goes wrong, and say which promise was broken.

    What delivers is the product; processes, clocks, disk, network and partner are made up. Exits with 1 if any was
    broken.
    """
    wanted = range(first, first + seeds) if seed is None else range(seed, seed + 1)
    began, counts, failed = time.monotonic(), Counter[str](), 0
    for number in wanted:
        verdict = simulate(number, verbose=verbose)
        counts.update(verdict.counts)
        failed += bool(verdict.broken)
        tell(verdict, is_whole=verbose or seed is not None)
    seconds = time.monotonic() - began
    typer.echo(f"{len(wanted)} histories, {failed} broken, {len(wanted) / seconds:.1f} a second")
    for line in table(counts):
        typer.echo(line)
    raise typer.Exit(1 if failed else 0)


def tell(verdict: Verdict, *, is_whole: bool) -> None:
    """Tell what was broken, and how to see it again; all that happened, if it is wanted."""
    for line in verdict.diary:
        typer.echo(line)
    if is_whole:
        typer.echo(f"seed {verdict.seed}: people are gathered {verdict.policy}, trace {verdict.trace}")
    for line in verdict.broken:
        typer.echo(f"seed {verdict.seed}: {line}")
    if verdict.broken:
        typer.echo(f"to see it again: headrace simulate --seed {verdict.seed} --verbose")


def table(counts: Counter[str]) -> Iterable[str]:
    """Yield how often what happened."""
    for name, count in sorted(counts.items()):
        yield f"  {name:36} {count:>10,}"
