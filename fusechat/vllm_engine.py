"""vLLM as a context manager: token ids in, each finished answer out at once, no process left behind.

    with VLLMEngine(model, max_model_len=2048) as engine:
        for result in engine.generate(requests):   # any iterable of GenerationRequest, read as it is needed
            result.request_id, result.text, result.num_tokens, result.finish_reason

Why `LLMEngine.add_request` / `step` and not `LLM.generate`: generate() gives nothing back before the last
answer is done, so a crash loses the run. Why not the async engine: one caller that reads a plain iterator
needs no event loop, and Ctrl-C reaches a synchronous loop at once. The scheduler does the same work in all
three. At most `max_in_flight` requests are in the engine, so two million of them need no memory.

On a CPU the engine runs inside this process. Measured with SmolLM2-135M on two cores: 902 tokens/s after a
start of 5 s, against 555 tokens/s after 31 s with vLLM's own engine process, which takes one of the cores
for its message loop. It also makes the make-up of each batch, and with it bfloat16 rounding, depend on
nothing but the requests. On GPUs the engine keeps its own process: it detokenizes while the GPU computes.

Seeded answers depend on the request alone up to floating-point rounding: other requests in the same batch,
or a prefix that is cached already, can change a logit's last bit. Of 128 seeded answers given twice to one
engine (bfloat16, CPU), 124 to 128 were the same text, and 128 in float32.
"""

import contextlib
import os
import subprocess
import sys
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from fusechat.engine_processes import child_processes, kill, start_watchdog
from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest, GenerationResult

# Block of the KV cache on a CPU, in tokens. vLLM's default of 128 there shares no prefix shorter than that,
# so the n answers of a prompt would each pay its prefill again (427 against 902 tokens/s); SmolLM2's
# attention kernel wants a multiple of 32.
CPU_BLOCK_TOKENS = 32
CPU_MAX_SEQUENCES = 64
CPU_KV_CACHE_GIB = 2
# Longest context that is reserved by default on a CPU; the model's own maximum may be far more than needed.
CPU_MAX_MODEL_LEN = 4096
GPU_MAX_SEQUENCES = 256


def has_cuda() -> bool:
    """Whether vLLM will run on a GPU here."""
    # Read when torch is loaded: vLLM's CPU worker would warn that it binds memory to the one NUMA node there is.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch

    return torch.cuda.is_available()


class VLLMEngine:
    """vLLM for one model; enter it with `with`, so that its processes end on every way out."""

    def __init__(
        self,
        model: str | Path,
        *,
        max_model_len: int | None = None,
        tensor_parallel_size: int = 1,
        seed: int = 0,
        dtype: str = "auto",
        max_num_seqs: int | None = None,
        max_in_flight: int | None = None,
        gpu_memory_utilization: float = 0.9,
    ) -> None:
        """Keeps the settings; the engine starts when it is entered.

        max_model_len: longest prompt plus answer in tokens (default: the model's; at most 4096 on a CPU).
        max_num_seqs: answers computed at once (default: 64 on a CPU, 256 on GPUs). max_in_flight: requests
        given to the engine and not finished (default: twice that, so that none of its places stays empty).
        """
        self.model = str(model)
        self.cuda = has_cuda()
        self.max_model_len = max_model_len or 0
        self.tensor_parallel_size = tensor_parallel_size
        self.seed, self.dtype = seed, dtype
        self.max_num_seqs = max_num_seqs or (GPU_MAX_SEQUENCES if self.cuda else CPU_MAX_SEQUENCES)
        self.max_in_flight = max_in_flight or 2 * self.max_num_seqs
        self.gpu_memory_utilization = gpu_memory_utilization
        self._engine: Any = None
        self._children: set[int] = set()
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._set_num_threads: Any = None

    def __enter__(self) -> "VLLMEngine":
        self._set_environment()
        preload = os.environ.get("LD_PRELOAD")
        children_before = child_processes()
        try:
            self._start()
        except BaseException as error:
            self._children = child_processes() - children_before
            self._stop()
            if isinstance(error, Exception) and not isinstance(error, BadInput):
                raise EngineFailure(f"vLLM could not start with {self.model}: {_one_line(error)}") from error
            raise
        finally:
            # vLLM preloads libraries for the workers it starts; later children (a code sandbox) go without.
            _restore("LD_PRELOAD", preload)
        self._children = child_processes() - children_before
        if self._children:
            self._watchdog = start_watchdog(self._children)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def generate(
        self, requests: Iterable[GenerationRequest | None]
    ) -> Generator[GenerationResult, None, None]:
        """Yields every answer when it is finished, in that order.

        Requests are read as places become free, never all at once; a None among them means that there is
        none at the moment, and the engine goes on with those it has. Raises EngineFailure where the engine
        dies, and BadInput for a request that it refuses (a prompt longer than max_model_len, say).
        """
        if self._engine is None:
            raise RuntimeError("the engine is not running; use it inside its with block")
        waiting = iter(requests)
        in_flight: dict[str, str] = {}  # vLLM's own id -> ours
        exhausted = False
        try:
            while True:
                while not exhausted and len(in_flight) < self.max_in_flight:
                    try:
                        request = next(waiting)
                    except StopIteration:
                        exhausted = True
                        break
                    if request is None:
                        break
                    in_flight[request.request_id] = self._add(request)
                if not in_flight:
                    if exhausted:
                        return
                    continue
                for output in self._step():
                    if output.finished:
                        del in_flight[output.request_id]
                        yield _result(output)
        finally:
            if in_flight and self._engine is not None:
                with contextlib.suppress(Exception):  # a dead engine has nothing to abort
                    self._engine.abort_request(list(in_flight.values()), internal=True)

    def _add(self, request: GenerationRequest) -> str:
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.inputs.engine import tokens_input
        from vllm.sampling_params import RequestOutputKind

        try:
            params = SamplingParams(
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                top_k=request.top_k,
                min_p=request.min_p,
                repetition_penalty=request.repetition_penalty,
                stop=list(request.stop),
                stop_token_ids=list(request.stop_token_ids),
                seed=request.seed,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            return self._engine.add_request(
                request.request_id, tokens_input(list(request.prompt_token_ids)), params
            )
        except (VLLMClientError, ValueError) as error:
            raise BadInput(f"{request.request_id}: vLLM refuses this request: {_one_line(error)}") from None
        except Exception as error:
            raise _died(error) from error

    def _step(self) -> list[Any]:
        try:
            return self._engine.step()
        except Exception as error:
            raise _died(error) from error

    def _set_environment(self) -> None:
        """What vLLM reads when it is imported or started; what the user has set stays."""
        defaults = {
            "VLLM_LOGGING_LEVEL": "WARNING" if self.cuda else "ERROR",
            "VLLM_LOGGING_STREAM": "ext://sys.stderr",
            "VLLM_NO_USAGE_STATS": "1",
            # A forked engine process would inherit the open output file and its lock.
            "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        }
        if not self.cuda:
            defaults["VLLM_CPU_KVCACHE_SPACE"] = str(CPU_KV_CACHE_GIB)
            if self.tensor_parallel_size == 1:
                defaults["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        for name, value in defaults.items():
            os.environ.setdefault(name, value)

    def _engine_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.model,
            "max_model_len": self.max_model_len or None,
            "tensor_parallel_size": self.tensor_parallel_size,
            "seed": self.seed,
            "dtype": self.dtype,
            "max_num_seqs": self.max_num_seqs,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            # The sampling parameters are ours alone: a model's generation_config.json must not add a top-k.
            "generation_config": "vllm",
        }
        if self.cuda:
            return {**arguments, "gpu_memory_utilization": self.gpu_memory_utilization}
        max_model_len = self.max_model_len or min(context_length(self.model), CPU_MAX_MODEL_LEN)
        return {
            **arguments,
            "max_model_len": max_model_len,
            "enforce_eager": True,  # compiling takes longer than a small run
            "block_size": CPU_BLOCK_TOKENS,
            # vLLM 0.32 rewinds a seeded request's generator when its prompt is prefilled in pieces, which
            # a CPU generator cannot ("CPU Generator does not use offset"): prefill in one piece.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(max_model_len, CPU_MAX_MODEL_LEN),
        }

    def _start(self) -> None:
        import torch

        self._set_num_threads = torch.set_num_threads  # vLLM's CPU worker replaces it
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # vLLM looks through the whole of torch.distributed
            from vllm import EngineArgs
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.llm_engine import LLMEngine

        engine_args = EngineArgs(**self._engine_arguments())
        self._engine = LLMEngine.from_engine_args(engine_args, usage_context=UsageContext.LLM_CLASS)
        self.max_model_len = self._engine.model_config.max_model_len

    def _stop(self) -> None:
        """Ends the engine and its processes; safe to call more than once."""
        engine, self._engine = self._engine, None
        try:
            if engine is not None:
                engine.engine_core.shutdown()
        except Exception as error:  # it may be dead already; its processes are killed below
            print(f"note: vLLM did not end cleanly ({_one_line(error)})", file=sys.stderr)
        finally:
            kill(self._children & child_processes())
            self._children = set()
            if self._watchdog is not None:
                with contextlib.suppress(OSError):  # it may have been killed along with us
                    self._watchdog.communicate(b"ended", timeout=10)
                self._watchdog = None
            if self._set_num_threads is not None:
                import torch

                torch.set_num_threads = self._set_num_threads
                self._set_num_threads = None


def stop_token_ids(model: str | Path, tokenizer: Any) -> list[int]:
    """Tokens that end an answer: the template's end of turn, EOS, and those of generation_config.json.

    Gemma's turns end with <end_of_turn>, which is not its EOS; Llama 3.1 has three such tokens.
    """
    from transformers import GenerationConfig

    from fusechat.chat import end_of_turn_id

    ids = {end_of_turn_id(tokenizer), int(tokenizer.eos_token_id)}
    with contextlib.suppress(OSError):  # a model need not have that file
        listed = GenerationConfig.from_pretrained(str(model)).eos_token_id
        ids.update([listed] if isinstance(listed, int) else listed or [])
    return sorted(ids)


def _result(output: Any) -> GenerationResult:
    answer = output.outputs[0]
    # "abort" and "error" do not come from our requests: a finished answer has stopped or is cut.
    if answer.finish_reason not in ("stop", "length"):
        raise EngineFailure(f"{output.request_id}: the engine ended this answer by {answer.finish_reason!r}")
    return GenerationResult(output.request_id, answer.text, len(answer.token_ids), answer.finish_reason)


def _died(error: Exception) -> EngineFailure:
    return EngineFailure(f"the vLLM engine died: {type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def context_length(model: str | Path) -> int:
    """The longest context the model's config allows."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(model)).get_text_config()
    except (OSError, ValueError) as error:
        raise BadInput(f"{model}: its config cannot be read: {_one_line(error)}") from None
    return int(getattr(config, "max_position_embeddings", CPU_MAX_MODEL_LEN))
