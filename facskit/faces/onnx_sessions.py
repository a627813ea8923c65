"""Networks that onnxruntime runs: one way to open them."""

import onnxruntime

__all__ = ["open_session"]


def open_session(
    model: bytes | str, threads: int = 0, provider: str = "CPUExecutionProvider"
) -> onnxruntime.InferenceSession:
    """Open a network.

    Args:
        model: The file's bytes, or its path.
        threads: Processor threads; 0 lets onnxruntime decide.
        provider: What runs it, as onnxruntime calls it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # waiting threads would otherwise spin and take the processor from the network that comes next
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: its warnings would land between the user's results
    return onnxruntime.InferenceSession(model, options, providers=[provider])
