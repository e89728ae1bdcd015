"""ONNX Runtime sessions and tokenizers; only this module uses these libraries."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memery.config import processors
from memery.errors import ConfigError, ModelError
from memery.process.forks import ForkAware, abandon
from memery.process.telemetry import import_onnxruntime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

__all__ = [
    "Network",
    "Port",
    "Tokenizer",
    "bpe_tokenizer",
    "check_device",
    "quantize",
    "read_tokenizer",
]

logger = logging.getLogger(__name__)

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_EXTERNAL_BYTES = 1 << 10
"""Initializers of at least this many bytes are stored as external data."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network.

    Attributes:
        name: name in the ONNX file.
        dtype: NumPy name of the element type.
        shape: length of each axis; None for a dynamic axis.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Network(ForkAware):
    """An ONNX network, loaded on first use.

    Args:
        file: the ONNX file.
        device: "auto", "cpu", "cuda", or the name of an execution provider.
        threads: compute threads; 0 means one for each processor that this process may use.
        optimisation: level of graph optimisation, "disabled", "basic" or "all"; a higher level
            starts more slowly and runs faster.
        mmap_weights: keep the weights memory-mapped instead of repacking them for speed.
    """

    def __init__(
        self,
        file: Path,
        device: str = "cpu",
        *,
        threads: int = 0,
        optimisation: str = "all",
        mmap_weights: bool = False,
    ) -> None:
        self.file = file
        self._device = device
        self._threads = threads or processors()
        self._optimisation = optimisation
        self._mmap_weights = mmap_weights
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """Discard the session in a child process, because its threads exist only in the parent."""
        if in_child and (session := self.__dict__.pop("_session", None)) is not None:
            abandon(session)

    def load(self) -> None:
        """Load the network now instead of on first use.

        Raises:
            ModelError: the runtime cannot load the file.
        """
        _ = self._session

    def run(
        self, inputs: Mapping[str, NDArray[Any]], output: str | None = None
    ) -> NDArray[np.float32]:
        """Compute one output.

        Args:
            inputs: arrays by the name of the input.
            output: name of the output; None means the first.

        Returns:
            the output as float32.

        Raises:
            ModelError: the network cannot be loaded, or rejects its inputs.
        """
        import numpy as np

        session = self._session
        try:
            result = session.run(output and [output], dict(inputs))[0]
        except Exception as error:
            raise ModelError(
                f"The model file {self.file} cannot be run: {_first(error)}"
            ) from error
        return np.asarray(result, dtype=np.float32)

    @cached_property
    def inputs(self) -> list[Port]:
        """Inputs of the network."""
        return [_port(value) for value in self._session.get_inputs()]

    @cached_property
    def outputs(self) -> list[Port]:
        """Outputs of the network."""
        return [_port(value) for value in self._session.get_outputs()]

    @cached_property
    def _session(self) -> Any:
        return self._open(self._options())

    def save_mmapped(self, target: Path) -> None:
        """Write the network with its weights in a separate file, `<target>.data`, to be mapped."""
        options = self._options()
        options.optimized_model_filepath = str(target)
        entries = {
            "session.optimized_model_external_initializers_file_name": f"{target.name}.data",
            "session.optimized_model_external_initializers_min_size_in_bytes": str(_EXTERNAL_BYTES),
        }
        for key, value in entries.items():
            options.add_session_config_entry(key, value)
        self._open(options)

    def _options(self) -> Any:
        onnxruntime = import_onnxruntime()

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # errors are raised as exceptions
        # Spinning threads take processor time from the decoding threads.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._mmap_weights:
            options.add_session_config_entry("session.disable_prepacking", "1")
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = {
            "disabled": levels.ORT_DISABLE_ALL,
            "basic": levels.ORT_ENABLE_BASIC,
            "all": levels.ORT_ENABLE_ALL,
        }[self._optimisation]
        return options

    def _open(self, options: Any) -> Any:
        onnxruntime = import_onnxruntime()

        providers = _providers(self._device)
        try:
            return onnxruntime.InferenceSession(str(self.file), options, providers=providers)
        except Exception as error:
            raise ModelError(
                f"The model file {self.file} cannot be opened: {_first(error)}"
                " It may be damaged: check it with memery models verify."
            ) from error


def _port(value: Any) -> Port:
    dtypes = {"float": "float32", "double": "float64"}
    dtype = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in value.shape)
    return Port(value.name, dtypes.get(dtype, dtype), shape)


def _first(error: Exception) -> str:
    """Return the first line of an error message, or the name of its type."""
    return f"{str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}."


def check_device(device: str) -> None:
    """Check that a device is available, without loading a network.

    Raises:
        ConfigError: the installed onnxruntime does not support the device.
    """
    if device not in ("auto", "cpu"):  # always available: avoids importing onnxruntime
        _providers(device)


def _providers(device: str) -> list[str]:
    """Execution providers for a device, preferred first, with the CPU as the fallback.

    Raises:
        ConfigError: the installed onnxruntime does not support the device.
    """
    available = import_onnxruntime().get_available_providers()
    if device == "auto":
        return [name for name in (_CUDA, _CPU) if name in available]
    names = {"cpu": _CPU, "cuda": _CUDA} | {name.lower(): name for name in available}
    provider = names.get(device.lower(), device)
    if provider not in available:
        raise ConfigError(
            f"The installed onnxruntime does not support {provider}, only {', '.join(available)}."
            " Choose one of these with --device, or install an onnxruntime that supports it."
        )
    if provider not in (_CPU, _CUDA):
        logger.warning(
            "%s is untested with memery: compare its results with --device cpu.", provider
        )
    return [provider] if provider == _CPU else [provider, _CPU]


def quantize(source: Path, target: Path) -> None:
    """Write a copy of a network with int8 weights; activations are quantised at run time.

    Convolutions keep their precision: quantising the first layer of an image encoder costs the
    most accuracy and saves the least time.
    """
    quantization = import_onnxruntime("quantization")
    logging.disable(logging.WARNING)  # it reconfigures logging to recommend another tool
    try:
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            weight_type=quantization.QuantType.QInt8,
        )
    finally:
        logging.disable(logging.NOTSET)


def read_tokenizer(file: Path) -> Tokenizer:
    """Open a tokenizer.json.

    Raises:
        ModelError: the file is damaged or missing.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise ModelError(f"The tokenizer {file} cannot be read: {_first(error)}") from error
    # BPE models cache the tokens of 10,000 words, or of whole texts if the tokenizer does not split
    # them into words: 12 to 55 MB to save microseconds. A tokenizer loaded from a file offers no
    # other way to disable this cache.
    if resize := getattr(tokenizer.model, "_resize_cache", None):
        resize(0)
    return tokenizer


_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""Pattern of a word in OpenAI's CLIP (simple_tokenizer.py)."""


def bpe_tokenizer(merges: Sequence[tuple[str, str]], first: str, last: str) -> Tokenizer:
    """Build CLIP's byte-pair tokenizer; it expects cleaned, lower-case texts.

    Args:
        merges: pairs of symbols, the most frequent first.
        first: start token of every text.
        last: end token of every text.
    """
    from tokenizers import AddedToken, Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    from tokenizers.processors import TemplateProcessing

    letters = _byte_letters()
    symbols = [*letters, *(f"{letter}</w>" for letter in letters)]
    symbols += ["".join(pair) for pair in merges]
    vocabulary = {symbol: number for number, symbol in enumerate([*symbols, first, last])}
    model = BPE(vocabulary, list(merges), end_of_word_suffix="</w>", cache_capacity=0)
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in (first, last)])
    words = Split(Regex(_WORDS), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(word, vocabulary[word]) for word in (first, last)],
    )
    return tokenizer


def _byte_letters() -> list[str]:
    """Return a printable character for each byte, in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]
