"""What both trainers do before and after their loop: output folder, data, model; export."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fusechat.chat import load_tokenizer
from fusechat.errors import BadInput
from fusechat.model_folder import written_whole
from fusechat.run_manifest import Manifest
from fusechat.tracking import NoTracker, Tracker, start_tracking
from training.batch_plan import count_steps
from training.checkpoints import (
    Checkpoint,
    better_of_last_two,
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
)
from training.examples import Example, LoadedExamples, hold_out
from training.export import export_model
from training.launch import keep_float32_outputs, start_accelerator
from training.model_card import write_model_card
from training.optimisation import make_optimizer
from training.passes import peak_memory_gb
from training.policy import Policy, load_policy
from training.run_folder import RunFolder
from training.settings import FREE_SETTINGS, TrainingArgs

Loader = Callable[..., LoadedExamples]


@dataclass
class Run:
    """A training run, ready for its loop."""

    args: TrainingArgs
    stage: str
    accelerator: Any
    manifest: Manifest
    folder: RunFolder
    tokenizer: Any
    loaded: LoadedExamples
    train: list[Example]
    held_out: list[Example]
    total_steps: int
    policy: Any = None
    optimizer: Any = None
    first_step: int = 0
    tracker: Tracker = field(default_factory=NoTracker)

    def say(self, message: str) -> None:
        """Prints from the main process alone."""
        if self.accelerator.is_main_process:
            print(message, flush=True)

    def check_finite(self, step: int, **figures: float) -> None:
        """Stops before an update that would ruin the weights."""
        if not all(math.isfinite(value) for value in figures.values()):
            named = ", ".join(f"{name} {value}" for name, value in figures.items())
            raise BadInput(
                f"step {step}: {named}: training has diverged; the weights are those of step {step - 1}. "
                "Lower --learning-rate, or look at the rows of this step"
            )


def begin_run(
    args: TrainingArgs, script: str, stage: str, load_examples: Loader, default_eval_size: int | None
) -> Run | None:
    """Claims the output folder and reads the data; None where the run is finished already.

    `default_eval_size`: what --eval-size is taken to be when it is not given (None: see hold_out).
    """
    accelerator = start_accelerator()
    keep_float32_outputs(accelerator)
    inputs: dict[str, Sequence[str | Path]] = {"train_file": args.train_file}
    if args.eval_file:
        inputs["eval_file"] = args.eval_file
    models: dict[str, str | Path] = {"model": args.model}
    if getattr(args, "reference_model", None):
        models["reference_model"] = args.reference_model  # type: ignore[attr-defined]
    manifest = Manifest(script=script, args=args, inputs=inputs, models=models, free=FREE_SETTINGS)
    manifest.extra["precision"] = accelerator.mixed_precision
    folder = RunFolder(args.output_dir, manifest)
    if _main_says(accelerator, lambda: folder.claim(overwrite=args.overwrite)):
        if accelerator.is_main_process:
            print(f"{args.output_dir}: is complete already; nothing to do (--overwrite starts anew)")
        return None
    tokenizer = load_tokenizer(args.model)
    options = {"max_length": args.max_length, "truncate": args.truncate}
    loaded = load_examples(args.train_file, tokenizer, **options)
    if args.eval_file:
        train, held_out = loaded.examples, load_examples(args.eval_file, tokenizer, **options).examples
    else:
        size = default_eval_size if args.eval_size is None else args.eval_size
        train, held_out = hold_out(loaded.examples, size, args.seed)
    total_steps = count_steps(len(train), args.batch_size, args.epochs, args.max_steps)
    run = Run(args, stage, accelerator, manifest, folder, tokenizer, loaded, train, held_out, total_steps)
    run.say(f"{', '.join(args.train_file)}: {loaded.summary()}")
    run.say(f"{len(train)} to train on, {len(held_out)} held out, {total_steps} steps of {args.batch_size}")
    if accelerator.is_main_process:
        name = args.run_name or f"{args.output_dir.resolve().parent.parent.name}-{stage}"
        run.tracker = start_tracking(
            args.report_to, step=stage, name=name, config=manifest.as_dict(), directory=args.output_dir
        )
    return run


def _main_says(accelerator: Any, decide: Callable[[], bool]) -> bool:
    """The main process decides, the others hear of it."""
    from accelerate.utils import broadcast_object_list

    answer = [decide() if accelerator.is_main_process else False]
    if accelerator.num_processes > 1:
        broadcast_object_list(answer)
    return answer[0]


def load_prepared_policy(run: Run, model: str) -> tuple[Any, Any]:
    """The model as a policy and its optimizer, both prepared by accelerate."""
    args, device = run.args, run.accelerator.device
    torch.manual_seed(args.seed)  # initial LoRA weights
    if args.qlora:
        if run.accelerator.is_fsdp2:
            raise BadInput(
                "--qlora: its 4-bit weights are not sharded; launch with launch_configs/qlora_single_gpu.yaml"
            )
        from training.qlora import add_adapters, quantised_loading

        policy = load_policy(model, args.attention, device, **quantised_loading(device))
        policy = Policy(add_adapters(policy.model, args.lora_rank), args.attention)
    else:
        policy = load_policy(model, args.attention, device)
    if args.activation_checkpointing:
        policy.language_model.gradient_checkpointing_enable({"use_reentrant": False})
        if args.qlora:
            policy.language_model.enable_input_require_grads()
    if run.accelerator.num_processes == 1:
        policy.add_gradients_in_place()
    parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    paged_8bit = args.qlora and device.type == "cuda"
    optimizer = make_optimizer(parameters, args.learning_rate, paged_8bit=paged_8bit)
    prepared, prepared_optimizer = run.accelerator.prepare(policy, optimizer)
    prepared.train()
    return prepared, prepared_optimizer


def finish_run(run: Run, *, best_of_two: bool) -> None:
    """Exports the last checkpoint, or the better of the last two, and marks the run complete."""
    accelerator, args = run.accelerator, run.args
    accelerator.wait_for_everyone()
    checkpoints = list_checkpoints(run.folder.checkpoints)
    chosen = better_of_last_two(checkpoints) if best_of_two else checkpoints[-1]
    if chosen.step != checkpoints[-1].step:
        load_checkpoint(accelerator, run.policy, run.optimizer, chosen)
    choice = _choice(checkpoints, chosen) if best_of_two else "the last one"
    title = run.args.run_name or f"{Path(args.model).name}-{run.stage}"
    card = write_model_card(
        title=title, stage=run.stage, base_model=args.model, manifest=run.manifest.as_dict(),
        data={"summary": run.loaded.summary(), "composition": run.loaded.composition(),
              "train": len(run.train), "held_out": len(run.held_out)},
        checkpoints=checkpoints, chosen=chosen, choice=choice,
    )  # fmt: skip
    export_model(accelerator, run.policy, run.tokenizer, args.output_dir, card)
    if accelerator.is_main_process:
        if args.merge:
            _write_merged(run, card)
        prune_checkpoints(run.folder.checkpoints, args.keep_checkpoints)
        run.folder.complete({
            "rows_read": run.loaded.read, "rows_dropped": dict(run.loaded.dropped), "rows_cut": run.loaded.cut,
            "trained_on": len(run.train), "held_out": len(run.held_out), "steps": run.total_steps,
            "exported_step": chosen.step, "exported_evaluation": chosen.state["evaluation"],
        })  # fmt: skip
        run.tracker.finish()
        run.folder.release()
        print(
            f"{args.output_dir}: step {chosen.step} exported ({choice}), {peak_memory_gb(accelerator)} GB peak memory"
        )
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _choice(checkpoints: list[Checkpoint], chosen: Checkpoint) -> str:
    last_two = checkpoints[-2:]
    if len(last_two) == 1:
        return "the only one"
    if any(checkpoint.eval_loss is None for checkpoint in last_two):
        return "the last one, since no held-out part was measured"
    losses = " and ".join(f"{checkpoint.eval_loss:.6g} at step {checkpoint.step}" for checkpoint in last_two)
    return f"the better of the last two by held-out loss ({losses})"


def _write_merged(run: Run, card: str) -> None:
    from training.export import save_tokenizer_and_card
    from training.qlora import merge_adapters

    merged = merge_adapters(run.args.model, run.args.output_dir, run.accelerator.device)
    with written_whole(run.args.output_dir / "merged") as temporary:
        merged.save_pretrained(temporary)
        save_tokenizer_and_card(run.tokenizer, temporary, card)
