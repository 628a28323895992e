"""Configuration files made from etc/nof0.yaml with some keys changed."""
import os

import yaml

from support.programs import CONFIG


def write_config(folder, name="nof0.yaml", **changes):
    """`changes`: section__key=value. Replaced whole, so that a running server may read it at any time."""
    with open(CONFIG, encoding="utf-8") as source:
        settings = yaml.safe_load(source)
    for place, value in changes.items():
        section, key = place.split("__")
        assert key in settings[section], f"etc/nof0.yaml has no {section}.{key}"
        settings[section][key] = value
    path = os.path.join(folder, name)
    with open(path + ".new", "w", encoding="utf-8") as out:
        yaml.safe_dump(settings, out, sort_keys=False)
    os.rename(path + ".new", path)
    return path
