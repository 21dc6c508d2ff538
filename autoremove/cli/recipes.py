"""`autoremove recipes`: the shipped recipes, and any recipe with every default filled in."""

from __future__ import annotations

import click


@click.group("recipes")
def command() -> None:
    """List the recipes, or show one with every default filled in."""


@command.command("list")
def list_them() -> None:
    """Name and purpose of every shipped recipe."""
    from autoremove.cli.text import columns
    from autoremove.recipe import load_recipe, recipe_names

    for line in columns([(name, load_recipe(name).about) for name in recipe_names()]):
        click.echo(line)


@command.command("show")
@click.argument("name")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STAGE.FIELD=VALUE",
    help="Override one field. May be repeated.",
)
def show(name: str, settings: tuple[str, ...]) -> None:
    """The recipe NAME, or a YAML file, with every field that decides a result: to save, change and run."""
    from autoremove.recipe import load_recipe

    click.echo(load_recipe(name, settings).to_yaml(), nl=False)
