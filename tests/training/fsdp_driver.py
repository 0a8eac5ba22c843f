"""Runs a trainer sharded by FSDP2 over CPU processes, for tests: torchrun ... fsdp_driver.py STAGE FLAGS...

accelerate starts FSDP on CPU only by this detour: the process group is made for CPU, then called MULTI_GPU, so
that the plug-in, built from the very YAML in launch_configs/, takes it over.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


def sharded_accelerator() -> Any:
    """An Accelerator with FSDP2 on CPU, configured by fsdp_8xa100.yaml (precision from the environment)."""
    from accelerate import Accelerator, PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    config = yaml.safe_load((ROOT / "launch_configs" / "fsdp_8xa100.yaml").read_text(encoding="utf-8"))
    for name, value in config["fsdp_config"].items():
        os.environ[name.upper()] = str(value).lower() if isinstance(value, bool) else str(value)
    state = PartialState(cpu=True)
    state._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    return Accelerator(
        cpu=True,
        mixed_precision=os.environ.get("TEST_PRECISION", "no"),
        fsdp_plugin=FullyShardedDataParallelPlugin(),
    )


def main() -> None:
    stage = sys.argv.pop(1)
    import training.run_setup as run_setup
    from fusechat.command_line import parse_args

    run_setup.start_accelerator = sharded_accelerator
    script: Any = __import__(f"training.train_{stage}", fromlist=["Args"])
    script.train(parse_args(script.Args))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads now and then abort a process that ends in the ordinary way


if __name__ == "__main__":
    main()
