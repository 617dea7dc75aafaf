"""Hostile settings, conditions and assignments, made from the words of their grammar."""

import random

from .variants import TEXTS

_WORDS = (
    *("id", "split", "service", "region", "month", "year", "valid_share", "unknown"),
    *("and", "or", "not", "in", "==", "!=", "<", "<=", ">", ">=", "=", "&&"),
    *("(", ")", "[", "]", ",", "..", "@", "'", '"', "@scenes.txt", "@/dev/zero", "@pipe"),
    *("train", "test", "'cis'", "5", "5..9", "11..2", "-1", "0.5", "1e5", "2018", "\u0667"),
    *("month in 1..12", "id in @scenes.txt", "service == cis", "not (month == 1)"),
)


def condition(rng: random.Random) -> str:
    """Return something like a condition on scenes."""
    kind = rng.random()
    if kind < 0.1:
        n = rng.choice((50, 3000, 30_000))
        return rng.choice(
            (
                "(" * n + "month==1" + ")" * n,
                "not " * n + "month==1",
                " and ".join(["month==1"] * n),
                "[" * n,
                "id in [" + "a," * n + "b]",
            )
        )
    if kind < 0.2:
        digits = rng.choice(("9" * 5000, "200000000", "0" * 400 + "1", "1" + "0" * 30))
        return f"{rng.choice(('year', 'month', 'valid_share'))} in 1..{digits}"
    if kind < 0.3:
        text = rng.choice(TEXTS)
        return f"region == {text if 's3cr3t' not in text else 'x'}"  # errors quote it
    return " ".join(rng.choices(_WORDS, k=rng.randint(1, 9)))


def assignment(rng: random.Random) -> str:
    """Return something like ``--set`` settings."""
    names = (
        *("n_epochs", "filters", "learning_rate", "batch_size", "patch_size", "channels"),
        *("network", "fill", "sic", "region_loss", "weight_average", "drop_amsr2"),
    )
    values = (
        *("1", "0", "-1", "nan", "inf", "1e400", "[4, 4]", "[]", "[[", "{", "'", "true"),
        *("9" * 5000, "10" * 12, "[" * 5000, "[1000000000]", "hh", "[hh, hv]", "a=b", ""),
        *("swin-unetr", "mask", "both", "0.5"),
        *TEXTS[:20],
    )
    parts = [
        f"{rng.choice((*names, 'model.filters', 'unknown', ''))}={rng.choice(values)}"
        for _ in range(rng.choice((1, 1, 2)))
    ]
    return ", ".join(parts)


def settings(rng: random.Random, tables: dict[str, tuple[str, ...]]) -> str:
    """Return something like a TOML file of settings, keys by table."""
    values = (
        *("1", "0", "-1", "nan", "inf", "-inf", "1e308", "0x10", "true", "[]", "{}", '""'),
        *("[4, 4]", '["hh", "hv"]', "[[1]]", "{a = 1}", "1979-05-27", "07:32:00", "0.5"),
        *("9" * 5000, "18446744073709551616", "9" * 25, "[" * 5000 + "]" * 5000),
        *('"a\\u0000b"', '"\\u001b[31m"', "'''\n'''", '"x"', "'month in 1..2'"),
        *('"swin-unetr"', '"mask"', '"both"'),
    )
    lines = []
    for table, keys in tables.items():
        if table and rng.random() < 0.7:
            lines.append(rng.choice((f"[{table}]", f"[[{table}]]", f"[{table}.{table}]")))
        lines += [
            f"{rng.choice((*keys, 'unknown'))} = {rng.choice(values)}"
            for _ in range(rng.choice((0, 1, 2)))
        ]
    text = "\n".join(lines) + "\n"
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text) + 1)] + rng.choice(
            ("\0", "\x1b", "=", "\ufeff")
        )
    return text
