"""Command lines: a dataclass becomes hyphenated flags and a YAML file; exceptions become exit statuses.

tyro makes the flags from the dataclass (types, defaults, and the string under each field as its help).
`--config FILE.yaml` gives defaults under the same names; what stands on the command line wins.
"""

import contextlib
import dataclasses
import errno
import io
import os
import signal
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TextIO, TypeVar

import msgspec
import tyro
import yaml

from fusechat.errors import BadInput

EXIT_FAULT, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130
# Faults of the machine that the user can mend, wherever they come up.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
ENVIRONMENT_FAULTS = NO_ROOM | {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR,
    errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.EPIPE,
}  # fmt: skip

ArgsT = TypeVar("ArgsT")


@dataclass(kw_only=True)
class StepArgs:
    """What every step takes."""

    config: Path | None = None
    """YAML file with the same names as these flags (hyphens or underscores); flags win over it."""
    report_to: Literal["wandb", "none"] = "wandb"
    """Where settings, counts and curves go; wandb runs offline where nobody is logged in."""
    run_name: str | None = None
    """Name of the run in the tracker (default: made from the step and its output)."""
    overwrite: bool = False
    """Start anew although the output, or an unfinished part of it, is there."""


@dataclass(kw_only=True)
class ShardArgs:
    """What every step takes that can be spread over machines."""

    num_shards: int | None = None
    """Number of shards (default: SLURM_ARRAY_TASK_COUNT, or the number of accelerate's processes, or 1)."""
    shard_index: int | None = None
    """Which shard this is, from 0 (default: from SLURM_ARRAY_TASK_ID, or the accelerate rank)."""


def parse_args(
    args_type: type[ArgsT], argv: Sequence[str] | None = None, *, description: str | None = None
) -> ArgsT:
    """Reads flags, and under them the YAML file of `--config`, into `args_type` (a dataclass).

    Raises BadInput for a config file that is missing, broken, or has unknown or wrongly typed keys. tyro
    itself ends the program with status 2 for wrong flags.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    config_file = _config_flag(arguments)
    default: Any = _defaults_from_yaml(args_type, Path(config_file)) if config_file is not None else None
    if description is None:
        description = sys.modules["__main__"].__doc__ if argv is None else ""
    return tyro.cli(
        args_type,
        args=arguments,
        default=default,
        description=description,
        config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitArgPrefixes),
    )


def _config_flag(arguments: list[str]) -> str | None:
    files = []
    for position, argument in enumerate(arguments):
        if argument == "--config":
            if position + 1 == len(arguments):
                raise BadInput("--config: names no file; give a YAML file after it")
            files.append(arguments[position + 1])
        elif argument.startswith("--config="):
            files.append(argument.removeprefix("--config="))
    if len(files) > 1:
        raise BadInput(f"--config: comes {len(files)} times; one file holds all settings")
    return files[0] if files else None


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which no name comes twice: YAML itself lets the last one win, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        for key, _ in node.value:
            name = str(key.value).replace("-", "_")
            if name in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} comes twice", key.start_mark
                )
            names.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping; BadInput names the file and what is wrong with it."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"{path}: holds a {type(content).__name__}; one 'name: value' per line is needed")
    return content


def _defaults_from_yaml(args_type: type[ArgsT], path: Path) -> ArgsT:
    settings = {str(key).replace("-", "_"): value for key, value in read_yaml(path).items()}
    fields = {field.name: field for field in dataclasses.fields(args_type)}  # type: ignore[arg-type]
    unknown = sorted(set(settings) - set(fields) | ({"config"} & set(settings)))
    if unknown:
        known = ", ".join(sorted(name.replace("_", "-") for name in fields if name != "config"))
        raise BadInput(f"{path}: unknown setting {', '.join(unknown)}; known are: {known}")
    hints = typing.get_type_hints(args_type)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in settings:
            values[name] = _convert(settings[name], hints[name], path, name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            values[name] = tyro.MISSING_NONPROP
    return args_type(**values)


def _convert(value: object, hint: Any, path: Path, name: str) -> object:
    # YAML 1.1 reads 5e-6 (no dot) as text; lax conversion turns it into the number that was meant.
    try:
        return msgspec.convert(value, hint, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {name}: {error}") from None


def _decode_path(hint: type, value: object) -> object:
    if issubclass(hint, Path) and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"Expected a path, got {value!r}")


def run(main: Callable[[], None]) -> NoReturn:
    """Runs a script's main() and ends the process: 0 done, 1 our fault, 2 bad input, 130 interrupted.

    SIGTERM (Slurm's pre-emption, `docker stop`) is treated like Ctrl-C, so that `with` blocks close. A full
    disk, a folder without permission and the like are the environment's faults: one line and 2.
    """

    def on_sigterm(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_sigterm)
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # a path that the terminal's encoding lacks is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        status = EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        status = EXIT_INTERRUPTED
    except OSError as error:
        status = _told_of_os_error(error)
    except Exception:
        traceback.print_exc()
        status = EXIT_FAULT
    else:
        status = 0
    try:
        sys.stdout.flush()
    except OSError as error:
        status = status or _told_of_os_error(error)
        _discard_output(sys.stdout)
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    sys.exit(status)


def _told_of_os_error(error: OSError) -> int:
    """Tells of an error of the operating system; the exit status: 2 where the user can mend it, else 1."""
    if error.errno not in ENVIRONMENT_FAULTS:
        traceback.print_exception(error)
        return EXIT_FAULT
    where = error.filename or (
        "standard output" if error.errno == errno.EPIPE else "a file or standard output"
    )
    advice = "make room" if error.errno in NO_ROOM else "mend the path or its permissions"
    if error.errno == errno.EPIPE:
        advice = "its reader has gone"
    with contextlib.suppress(OSError):
        print(f"error: {where}: {error.strerror}; {advice}, then the same command goes on", file=sys.stderr)
    return EXIT_BAD_INPUT


def _discard_output(stream: TextIO) -> None:
    """What is still buffered goes nowhere: the interpreter would fail on it once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
