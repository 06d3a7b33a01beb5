"""Write the table that `mien recipes` shows without torch: how many parameters each recipe's network has, and how many
of them learn. Run after a recipe's network has changed: python tools/count_parameters.py"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from mien.recipes.recipe import load_recipe, recipe_names
from mien.train.networks.summary import recipe_counts

TABLE = Path(str(resources.files("mien.recipes") / "parameters.json"))


def main() -> None:
    """Count the networks of the package's recipes."""
    counts = {name: recipe_counts(load_recipe(name)) for name in recipe_names()}
    lines = (f"  {json.dumps(name)}: [{total}, {trainable}]" for name, (total, trainable) in counts.items())
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
