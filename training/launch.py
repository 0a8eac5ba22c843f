"""Starting under accelerate: which processes take part, and refusal of launches that would be silently wrong."""

import os
from typing import Any

from fusechat.errors import BadInput


def start_accelerator() -> Any:
    """An Accelerator for this launch: one process, several on CPU (gloo) or GPU (NCCL), or FSDP2.

    BadInput for a launch whose processes would train alone without knowing of each other (accelerate
    starts such ones for an FSDP config with `use_cpu: true`), and for fp16, which needs loss scaling.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.utils import DistributedType

    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    on_cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in {
        "1",
        "true",
    }
    if on_cpu and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        raise BadInput(
            "the launch config asks for FSDP, but there is no GPU, and accelerate would start separate, unsharded "
            "processes; launch with --config_file launch_configs/cpu.yaml"
        )
    if world_size == 1:
        # One process needs no process group: without these variables accelerate does not wrap the model in DDP,
        # which would copy every gradient.
        for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE"):
            os.environ.pop(name, None)
    accelerator = Accelerator(cpu=on_cpu)
    check_processes(accelerator, world_size)
    if accelerator.mixed_precision not in {"no", "bf16"}:
        raise BadInput(
            f"--mixed_precision {accelerator.mixed_precision}: only no and bf16 are supported; use bf16"
        )
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise BadInput("the launch config asks for FSDP version 1; set fsdp_version: 2")
    return accelerator


def keep_float32_outputs(accelerator: Any) -> None:
    """FSDP2 in bf16: parameters are gathered in bf16, but gradients are summed and outputs returned in float32.

    accelerate's own policy would round the returned log-probabilities (sums of hundreds of nats) to 8 bits.
    """
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy

    if accelerator.is_fsdp2 and accelerator.mixed_precision == "bf16":
        accelerator.state.fsdp_plugin.mixed_precision_policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32
        )


def check_processes(accelerator: Any, world_size: int) -> None:
    """Raises BadInput unless accelerate knows of all the processes that were started."""
    from accelerate.utils import DistributedType

    known = {
        DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU, DistributedType.FSDP,
    }  # fmt: skip
    if accelerator.distributed_type not in known:
        raise BadInput(
            f"the launch config's {accelerator.distributed_type} is not supported; use FSDP or plain DDP"
        )
    alone = accelerator.distributed_type == DistributedType.NO or accelerator.num_processes != world_size
    if world_size > 1 and alone:
        raise BadInput(
            f"{world_size} processes were started, but each believes it is alone ({accelerator.distributed_type}): "
            "they would train separate, unsharded models; launch by `accelerate launch --config_file "
            "launch_configs/…` with a config that suits this machine"
        )
